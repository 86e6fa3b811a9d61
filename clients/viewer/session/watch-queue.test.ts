import t from 'tap'
import { OVERVIEW, tileId } from '../../../relay/wire/ids.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import { millis } from '../../../relay/wire/units.ts'
import { WatchQueue } from './watch-queue.ts'

const [a, b, c] = [tileId(0, 0), tileId(1, 0), tileId(2, 0)]
const demand = (renditions: RenditionId[], prefetch: RenditionId[] = []) => ({ renditions, prefetch })

t.test('sends a change once', async t => {
  const queue = new WatchQueue()
  queue.want(demand([a, OVERVIEW]))
  t.same(queue.step(millis(0)).send, demand([a, OVERVIEW]))
  queue.answered(true, millis(5))
  t.same(queue.step(millis(100)).send, undefined)
})

t.test('of the order only the first rendition is news', async t => {
  const queue = new WatchQueue()
  queue.want(demand([a, OVERVIEW, b, c]))
  queue.step(millis(0))
  queue.answered(true, millis(5))
  queue.want(demand([a, OVERVIEW, c, b]))
  t.same(queue.step(millis(200)), { send: undefined, wakeAt: undefined })
  queue.want(demand([b, OVERVIEW, a, c]))
  t.same(queue.step(millis(200)).send, demand([b, OVERVIEW, a, c]))
})

t.test('what is fetched ahead is news, its order is not', async t => {
  const queue = new WatchQueue()
  queue.want(demand([a], [b, c]))
  queue.step(millis(0))
  queue.answered(true, millis(5))
  queue.want(demand([a], [c, b]))
  t.same(queue.step(millis(200)).send, undefined)
  queue.want(demand([a], []))
  t.same(queue.step(millis(200)).send, demand([a]))
})

t.test('has one message under way, and then sends only the latest wish', async t => {
  const queue = new WatchQueue()
  queue.want(demand([a]))
  t.same(queue.step(millis(0)).send, demand([a]))
  queue.want(demand([b]))
  queue.want(demand([c]))
  t.same(queue.step(millis(60)).send, undefined)
  queue.answered(true, millis(70))
  t.same(queue.step(millis(70)).send, demand([c]))
})

t.test('keeps 50 ms between messages', async t => {
  const queue = new WatchQueue()
  queue.want(demand([a]))
  queue.step(millis(0))
  queue.answered(true, millis(1))
  queue.want(demand([b]))
  t.same(queue.step(millis(10)), { send: undefined, wakeAt: 50 })
  t.same(queue.step(millis(50)).send, demand([b]))
})

t.test('tries again after a refusal, with the latest wish', async t => {
  const queue = new WatchQueue()
  queue.want(demand([a]))
  queue.step(millis(0))
  queue.answered(false, millis(100))
  queue.want(demand([b]))
  t.same(queue.step(millis(100)), { send: undefined, wakeAt: 350 })
  t.same(queue.step(millis(350)).send, demand([b]))
})
