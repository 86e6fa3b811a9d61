import { t } from 'tap'
import { bitsPerSecond, bytes, millis } from '../../relay/wire/units.ts'
import { LimitedCarrier } from './limited-carrier.ts'
import { RateLimit } from './rate-limit.ts'
import { Sha256, SlideId } from '../../relay/wire/ids.ts'

t.test('bodies leave no closer than the rate allows, and an idle time is not saved up', async t => {
  const limit = new RateLimit(bitsPerSecond(8_000_000))
  t.equal(limit.wait(millis(100)), 0)
  limit.leaves(bytes(500_000), millis(100))
  t.equal(limit.wait(millis(100)), 500)
  limit.leaves(bytes(1_000_000), millis(600))
  t.equal(limit.wait(millis(700)), 900)
  t.equal(limit.wait(millis(60_000)), 0)
  limit.leaves(bytes(1_000_000), millis(60_000))
  t.equal(limit.wait(millis(60_000)), 1000)
})

t.test('chunks pass in turn at the rate, and one that is aborted while it waits costs the others nothing', async t => {
  let now = 0
  const left: [number, number][] = []
  const carrier = new LimitedCarrier(
    { kind: 'https', window: 4, put: async (_slide, _sha256, body) => (left.push([body[0]!, now]), 'stored'), putSquare: async () => undefined, [Symbol.asyncDispose]: async () => undefined },
    bitsPerSecond(8_000_000),
    {
      now: () => millis(now),
      sleep: async (duration, signal) => {
        await new Promise(resolve => setImmediate(resolve))
        signal?.throwIfAborted()
        now += duration
      },
    },
  )
  const stop = new AbortController()
  const put = (name: number, signal = new AbortController().signal) =>
    carrier.put(SlideId.parse('5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11'), Sha256.parse('0'.repeat(64)), Buffer.alloc(1_000_000, name), signal)
  const puts = [put(1), put(2, stop.signal), put(3), put(4)]
  stop.abort(new Error('interrupted'))
  t.same((await Promise.allSettled(puts)).map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  t.same(left, [[1, 0], [3, 1000], [4, 2000]])
})
