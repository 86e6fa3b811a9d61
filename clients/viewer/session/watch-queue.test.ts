import t from 'tap'
import { OVERVIEW, tileId } from '../../../relay/wire/ids.ts'
import { millis } from '../../../relay/wire/units.ts'
import { WatchQueue } from './watch-queue.ts'

const [a, b, c] = [tileId(0, 0), tileId(1, 0), tileId(2, 0)]

t.test('sends a change once, and nothing when only the order changed', async t => {
  const queue = new WatchQueue()
  queue.want([OVERVIEW, a])
  t.same(queue.step(millis(0)).send, [OVERVIEW, a])
  queue.answered(true, millis(5))
  t.same(queue.step(millis(100)).send, undefined)
  queue.want([a, OVERVIEW])
  t.same(queue.step(millis(200)), { send: undefined, wakeAt: undefined })
})

t.test('has one message under way, and then sends only the latest wish', async t => {
  const queue = new WatchQueue()
  queue.want([a])
  t.same(queue.step(millis(0)).send, [a])
  queue.want([b])
  queue.want([c])
  t.same(queue.step(millis(60)).send, undefined)
  queue.answered(true, millis(70))
  t.same(queue.step(millis(70)).send, [c])
})

t.test('keeps 50 ms between messages', async t => {
  const queue = new WatchQueue()
  queue.want([a])
  queue.step(millis(0))
  queue.answered(true, millis(1))
  queue.want([b])
  t.same(queue.step(millis(10)), { send: undefined, wakeAt: 50 })
  t.same(queue.step(millis(50)).send, [b])
})

t.test('tries again after a refusal, with the latest wish', async t => {
  const queue = new WatchQueue()
  queue.want([a])
  queue.step(millis(0))
  queue.answered(false, millis(100))
  queue.want([b])
  t.same(queue.step(millis(100)), { send: undefined, wakeAt: 350 })
  t.same(queue.step(millis(350)).send, [b])
})
