import { t } from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import { VirtualTime } from './virtual-time.ts'

t.test('runs events by time, those of one instant in the order they came', async t => {
  const time = new VirtualTime()
  const random = seededRandom(3)
  const planned = Array.from({ length: 5000 }, (_, index) => ({ at: Math.floor(random() * 500), index }))
  const ran: typeof planned = []
  for (const event of planned) time.at(millis(event.at), () => ran.push(event))
  time.run(millis(1000))
  t.same(ran, planned.toSorted((a, b) => a.at - b.at || a.index - b.index))
  t.equal(time.now, 1000)
  t.equal(time.pending, 0)
})

t.test('runs what events schedule, up to the end and no further', async t => {
  const time = new VirtualTime()
  const at: number[] = []
  const tick = (): void => {
    at.push(time.now)
    time.after(millis(10), tick)
  }
  time.at(millis(5), tick)
  time.run(millis(35))
  t.same(at, [5, 15, 25, 35])
  t.equal(time.pending, 1)
})

t.test('takes an event of the past for one of now', async t => {
  const time = new VirtualTime()
  time.run(millis(100))
  let ranAt = -1
  time.at(millis(20), () => (ranAt = time.now))
  time.run(millis(100))
  t.equal(ranAt, 100)
})
