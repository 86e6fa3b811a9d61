import t from 'tap'
import { NodeClock } from './node-clock.ts'

const START = 1_800_000_000_000
/** The node's clock is `offset` ahead; the question takes `there`, the answer `back`. */
const exchange = (at: number, offset: number, there: number, back: number) => ({
  sentAtMillis: START + at,
  nodeTimeMillis: START + at + there + offset,
  receivedAtMillis: START + at + there + back,
})

t.test('knows nothing before the first exchange, nor after a reset', async t => {
  const clock = new NodeClock()
  t.equal(clock.estimate(START), undefined)
  clock.take(exchange(0, 5000, 10, 10))
  t.same(clock.estimate(START + 20), { offset: 5000, error: 10 })
  clock.reset()
  t.equal(clock.estimate(START + 20), undefined)
})

t.test('believes the quickest answer, and is never further off than it says', async t => {
  const clock = new NodeClock()
  for (const [at, there, back] of [[0, 80, 10], [100, 6, 4], [200, 10, 200], [500, 30, 30]] as const) clock.take(exchange(at, -1234, there, back))
  const { offset, error } = clock.estimate(START + 600)!
  t.ok(Math.abs(offset + 1234) <= error)
  t.ok(error < 5.1, `${error} ms`)
})

t.test('trusts an answer less the older it is', async t => {
  const clock = new NodeClock()
  clock.take(exchange(0, 100, 1, 1))
  t.ok(Math.abs(clock.estimate(START + 2 + 1_000_000)!.error - 16) < 0.01)
  clock.take(exchange(1_000_000, 110, 3, 3))
  t.ok(Math.abs(clock.estimate(START + 1_000_006)!.offset - 110) < 0.01, 'a fresh one that fits takes its place')
})

t.test('follows a clock that was set', async t => {
  const clock = new NodeClock()
  clock.take(exchange(0, 0, 1, 1))
  clock.take(exchange(30_000, 3_600_000, 20, 20))
  t.equal(clock.estimate(START + 30_040)!.offset, 3_600_000)
})

t.test('forgets all but the last exchanges, and refuses an answer from before the question', async t => {
  const clock = new NodeClock()
  clock.take(exchange(0, 0, 1, 1))
  for (let i = 1; i <= 8; i++) clock.take(exchange(i * 30_000, 0, 20, 20))
  t.ok(clock.estimate(START + 240_040)!.error >= 20)
  clock.take({ sentAtMillis: START + 300_000, nodeTimeMillis: START, receivedAtMillis: START + 299_999 })
  t.equal(clock.estimate(START + 300_000)!.offset, 0)
})
