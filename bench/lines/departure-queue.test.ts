import { t } from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import { DepartureQueue } from './departure-queue.ts'

t.test('gives what is due, first things first, and ties as they came', async t => {
  const random = seededRandom(5)
  const queue = new DepartureQueue<string>(1000)
  const wanted = Array.from({ length: 500 }, (_, index) => ({ at: millis(Math.floor(random() * 50)), index }))
  for (const { at, index } of wanted) queue.push(at, String(index))
  const taken: string[] = []
  for (let now = 0; now <= 50; now++) for (let due = queue.shift(millis(now)); due !== undefined; due = queue.shift(millis(now))) taken.push(due.item)
  t.same(taken, wanted.toSorted((a, b) => a.at - b.at || a.index - b.index).map(({ index }) => String(index)))
  t.equal(queue.size, 0)
  t.equal(queue.nextAt, Infinity)
})

t.test('waits for what is not due, and refuses when full', async t => {
  const queue = new DepartureQueue<string>(1)
  t.ok(queue.push(millis(5), 'a'))
  t.notOk(queue.push(millis(1), 'b'))
  t.equal(queue.shift(millis(4.9)), undefined)
  t.equal(queue.nextAt, 5)
  t.same(queue.shift(millis(5))?.item, 'a')
})
