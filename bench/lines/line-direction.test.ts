import { t } from 'tap'
import { bytes, millis } from '../../relay/wire/units.ts'
import { seededRandom } from '../scenarios/viewport-renditions.ts'
import { LineDirection } from './line-direction.ts'
import { burstLoss } from './packet-loss.ts'
import { DirectionProfile } from './profiles.ts'
import type { Fate } from './line-direction.ts'

type Wanted = Parameters<typeof DirectionProfile.parse>[0]

const open = (profile: Wanted, seed = 7): LineDirection => new LineDirection(DirectionProfile.parse(profile), seededRandom(seed))

/** Offers packets at even intervals. */
function offer(line: LineDirection, count: number, { everyMillis = 1, length = 1000, from = 0 } = {}): Fate[] {
  return Array.from({ length: count }, (_, index) => line.offer(bytes(length), millis(from + index * everyMillis)))
}

const deliveries = (fates: readonly Fate[]): number[] => fates.flatMap(fate => (fate.outcome === 'delivered' ? [fate.at] : []))
const count = (fates: readonly Fate[], outcome: Fate['outcome']): number => fates.filter(fate => fate.outcome === outcome).length

t.test('an ideal line delivers at once', async t => {
  t.same(deliveries(offer(open({}), 3)), [0, 1, 2])
})

t.test('delays each packet by as much', async t => {
  t.same(deliveries(offer(open({ delayMillis: 20 }), 3)), [20, 21, 22])
})

t.test('sends no faster than its rate, and idles in between', async t => {
  const line = open({ rateBitsPerSecond: 8e6, queue: { bytes: 10_000 } })
  t.same(deliveries(offer(line, 3, { everyMillis: 0 })), [1, 2, 3])
  t.same(deliveries(offer(line, 1, { from: 50 })), [51])
})

t.test('drops what finds the queue full, and nothing that was let in', async t => {
  const line = open({ rateBitsPerSecond: 8e6, queue: { bytes: 5000 } })
  const fates = offer(line, 8, { everyMillis: 0 })
  t.same(fates.map(({ outcome }) => outcome), [...Array<string>(5).fill('delivered'), ...Array<string>(3).fill('queue_full')])
  t.match(offer(line, 1, { from: 1 }), [{ outcome: 'delivered', at: 6 }], 'there is room again after one has left')
})

t.test('a queue given in time holds so much at the rate', async t => {
  const fates = offer(open({ rateBitsPerSecond: 8e6, queue: { millis: 20 } }), 100, { everyMillis: 0 })
  t.equal(count(fates, 'delivered'), 20)
})

t.test('under overload delivers exactly its rate', async t => {
  const at = deliveries(offer(open({ rateBitsPerSecond: 10e6, delayMillis: 5, queue: { millis: 50 } }), 20_000, { everyMillis: 0.5 }))
  const rate = ((at.length - 1) * 8000) / ((at.at(-1)! - at[0]!) / 1000)
  t.ok(Math.abs(rate - 10e6) < 100, `${rate} bit/s`)
})

t.test('loses as many as it should, each by itself', async t => {
  const lost = count(offer(open({ loss: { model: 'uniform', ratio: 0.01 } }), 200_000), 'lost')
  t.ok(Math.abs(lost - 2000) < 4 * Math.sqrt(2000), `${lost} lost`)
})

t.test('what is lost has used the rate', async t => {
  const fates = offer(open({ rateBitsPerSecond: 8e6, queue: { bytes: 1e6 }, loss: { model: 'uniform', ratio: 0.5 } }), 100, { everyMillis: 0 })
  t.ok(Math.max(...deliveries(fates)) > 90)
})

t.test('loses in bursts as long and as frequent as asked', async t => {
  const fates = offer(open({ loss: burstLoss({ meanRatio: 0.02, meanBurstPackets: 4 }) }), 400_000)
  const lost = fates.map(({ outcome }) => outcome === 'lost')
  const bursts = lost.filter((isLost, index) => isLost && lost[index - 1] !== true).length
  const total = lost.filter(Boolean).length
  t.ok(Math.abs(total / 400_000 - 0.02) < 0.002, `${total} lost`)
  t.ok(Math.abs(total / bursts - 4) < 0.25, `${total / bursts} a burst`)
})

t.test('jitter fills its range and overtakes nothing, however dense the packets', async t => {
  const fates = offer(open({ delayMillis: 20, jitterMillis: 8 }), 100_000, { everyMillis: 0.1 })
  const at = deliveries(fates)
  const delays = at.map((each, index) => each - index * 0.1)
  t.ok(at.every((each, index) => index === 0 || each >= at[index - 1]!), 'in order')
  t.ok(Math.min(...at.map((each, index) => each - index * 0.1)) >= 12 - 1e-6)
  t.ok(delays.some(delay => delay < 13.5) && delays.some(delay => delay > 26.5) && delays.every(delay => delay < 28 + 1e-6))
  const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length
  t.ok(Math.abs(mean - 20) < 1, `mean ${mean}`)
})

t.test('reorders when asked to', async t => {
  const at = deliveries(offer(open({ delayMillis: 20, jitterMillis: 8, reorders: true }), 1000))
  t.ok(at.some((each, index) => index > 0 && each < at[index - 1]!))
})

t.test('decides the same by the same seed, and differently by another', async t => {
  const profile: Wanted = { delayMillis: 5, jitterMillis: 3, loss: { model: 'uniform', ratio: 0.1 } }
  t.same(offer(open(profile, 3), 500), offer(open(profile, 3), 500))
  t.notSame(offer(open(profile, 3), 500), offer(open(profile, 4), 500))
})

t.test('changes in the middle, without letting anything overtake', async t => {
  const line = open({ delayMillis: 50 })
  t.same(deliveries(offer(line, 1)), [50])
  line.change(DirectionProfile.parse({ delayMillis: 1, rateBitsPerSecond: 8e6 }))
  t.same(deliveries(offer(line, 2, { from: 10, everyMillis: 60 })), [50, 72])
  line.change(DirectionProfile.parse({ loss: { model: 'uniform', ratio: 1 } }))
  t.equal(count(offer(line, 10, { from: 100 }), 'lost'), 10)
})
