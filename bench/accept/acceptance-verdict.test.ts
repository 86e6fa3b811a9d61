import t from 'tap'
import { DIRECTIONS } from './acceptance-measurement.ts'
import { ENOUGH_PACKETS, judgeAcceptance, USES } from './acceptance-verdict.ts'
import { beyond, madeUpLoad, madeUpMeasurement } from './measured-line.ts'
import type { AcceptanceMeasurement } from './acceptance-measurement.ts'
import type { AcceptanceLevel, AcceptanceQuestion, AcceptanceReason, Use } from './acceptance-verdict.ts'

const QUESTION: AcceptanceQuestion = { uses: USES, directions: DIRECTIONS, slideBytes: 1.5e9 }

function judge(measurement: AcceptanceMeasurement, question: Partial<AcceptanceQuestion> = {}): { levels: Record<Use, AcceptanceLevel>; reasons: Record<Use, AcceptanceReason[]>; level: AcceptanceLevel } {
  const verdict = judgeAcceptance(measurement, { ...QUESTION, ...question })
  const uses = verdict.paths[0]?.uses ?? []
  const byUse = <Value>(value: (use: (typeof uses)[number]) => Value): Record<Use, Value> => Object.fromEntries(uses.map(use => [use.use, value(use)])) as Record<Use, Value>
  return { level: verdict.level, levels: byUse(({ level }) => level), reasons: byUse(({ byDirection }) => [...new Set(byDirection.flatMap(({ findings }) => findings.map(({ reason }) => reason)))]) }
}

t.test('a faultless line is good for everything, and nothing has to change', async t => {
  const { level, levels, reasons } = judge(madeUpMeasurement())
  t.equal(level, 'go')
  t.same(levels, { pyramid: 'go', whole: 'go', overview: 'go', slides: 'go' })
  t.same(reasons, { pyramid: [], whole: [], overview: [], slides: [] })
})

t.test('a line of 60 Mbit/s carries a viewport of the pyramid, the overview and slides, not a whole stream', async t => {
  const { levels, reasons } = judge(madeUpMeasurement(({ bitsPerSecond }) => beyond(60e6, bitsPerSecond, 30)))
  t.same(levels, { pyramid: 'limits', whole: 'no-go', overview: 'go', slides: 'go' })
  t.same(reasons.pyramid, ['capacity'])
})

t.test('what a line was seen to carry counts between two loads', async t => {
  const pyramid = (rate: number): AcceptanceLevel => judge(madeUpMeasurement(({ bitsPerSecond }) => beyond(rate, bitsPerSecond, 30))).levels.pyramid
  // A viewport takes 1.2 x 0.25 x 97 = 29.1 Mbit/s, all tiles 116.4; loads are 20, 50, 100 and 120.
  t.equal(pyramid(30e6), 'limits')
  t.equal(pyramid(28e6), 'no-go')
  t.equal(pyramid(118e6), 'go')
  t.equal(pyramid(115e6), 'limits')
})

t.test('a policer without a queue is told from loss of the line by its plateau', async t => {
  const { reasons } = judge(madeUpMeasurement(({ bitsPerSecond }) => beyond(60e6, bitsPerSecond, 0)))
  t.same(reasons.pyramid, ['capacity'])
  t.same(reasons.overview, [])
})

t.test('bursts longer than repair covers fail live, the same loss scattered does not', async t => {
  // 20 ms of round trip: a deadline of 80 ms, which covers 80 - 30 - 5 = 45 ms.
  const burst = judge(madeUpMeasurement(() => ({ lossRuns: Array.from({ length: 20 }, (_, index) => ({ first: index * 500, packets: 150, millis: 50 })) })))
  t.equal(burst.levels.pyramid, 'no-go')
  t.same(burst.reasons.pyramid, ['burst'])
  t.equal(burst.levels.slides, 'go')
  t.equal(judge(madeUpMeasurement(() => ({ lossRatio: 0.02 }))).level, 'go')
  const short = judge(madeUpMeasurement(() => ({ lossRuns: Array.from({ length: 20 }, (_, index) => ({ first: index * 500, packets: 100, millis: 44 })) })))
  t.equal(short.levels.pyramid, 'go', 'what retransmission can still bring in time')
})

t.test('a line that is bad in one direction is bad only there', async t => {
  const measurement = madeUpMeasurement(({ direction, bitsPerSecond }) => (direction === 'in' ? beyond(16e6, bitsPerSecond, 50) : {}))
  t.equal(judge(measurement).levels.pyramid, 'no-go')
  t.equal(judge(measurement, { directions: ['out'] }).level, 'go')
  t.equal(judge(measurement, { directions: ['in'] }).levels.pyramid, 'no-go')
})

t.test('a queue that stands under load limits, and a long one rules out', async t => {
  const with_ = (queueMillis: number): ReturnType<typeof judge> => judge(madeUpMeasurement(({ bitsPerSecond }) => (bitsPerSecond >= 100e6 ? { queueMillis } : {})))
  t.equal(with_(34).levels.whole, 'go')
  t.equal(with_(36).levels.whole, 'limits')
  t.equal(with_(201).levels.whole, 'no-go')
  t.same(with_(36).reasons.whole, ['queue'])
  t.equal(with_(201).levels.overview, 'go')
})

t.test('a long round trip limits steering, and a very long one rules it out', async t => {
  const far = (roundTripMillis: number): ReturnType<typeof judge> => judge(madeUpMeasurement(() => ({ roundTripMillis })))
  t.equal(far(149).levels.pyramid, 'go')
  t.equal(far(151).levels.pyramid, 'limits')
  t.equal(far(401).levels.pyramid, 'no-go')
  t.equal(far(401).levels.slides, 'go', 'slides are not steered')
})

t.test('keyframes that overflow a queue limit the whole stream alone', async t => {
  const { levels, reasons } = judge(madeUpMeasurement(({ shape }) => (shape === 'whole' ? { lossRatio: 0.1, queueMillis: 14 } : {})))
  t.same(levels, { pyramid: 'go', whole: 'limits', overview: 'go', slides: 'go' })
  t.same(reasons.whole, ['keyframes'])
})

t.test('loss that repair can mend at more than a fifth of the rate limits', async t => {
  const { levels, reasons } = judge(madeUpMeasurement(() => ({ lossRatio: 0.12, roundTripMillis: 60 })))
  t.equal(levels.pyramid, 'limits')
  t.ok(reasons.pyramid.includes('repairCost'))
})

t.test('packets that come later than a link waits for them limit', async t => {
  t.equal(judge(madeUpMeasurement(() => ({ reorderedMillis: 29 }))).level, 'go')
  t.same(judge(madeUpMeasurement(() => ({ reorderedMillis: 31 }))).reasons.pyramid, ['reordering'])
})

t.test('a path that lets no packet of a link through is good for nothing', async t => {
  t.same(judge(madeUpMeasurement(undefined, { mtuBytes: null })).levels, { pyramid: 'no-go', whole: 'no-go', overview: 'no-go', slides: 'no-go' })
  t.equal(judge(madeUpMeasurement(undefined, { mtuBytes: 1200 })).level, 'limits')
})

t.test('slides take hours by what arrives: a night is good, a day is the limit', async t => {
  const slides = (rate: number): AcceptanceLevel => judge(madeUpMeasurement(({ bitsPerSecond }) => beyond(rate, bitsPerSecond, 50))).levels.slides
  // 150 GB in 12 h are 27.8 Mbit/s, over 0.95 29.2; in 24 h half of it.
  t.equal(slides(30e6), 'go')
  t.equal(slides(28e6), 'limits')
  t.equal(slides(15e6), 'limits')
  t.equal(slides(14e6), 'no-go')
})

t.test('a bad hour limits, and one window in ten rules out', async t => {
  const stability = (bad: number, of: number): AcceptanceLevel =>
    judge(madeUpMeasurement(undefined, { stability: Array.from({ length: of }, (_, index) => madeUpLoad(index < bad ? { lossRatio: 0.9 } : {})) }), { directions: ['out'] }).levels.pyramid
  t.equal(stability(0, 100), 'go')
  t.equal(stability(1, 100), 'limits')
  t.equal(stability(10, 100), 'no-go')
})

t.test('a load that was left out since the line had shown its limit does not pass', async t => {
  const measurement = madeUpMeasurement()
  const [path] = measurement.paths
  if (path === undefined) throw new Error('there is a path')
  const steps = path.steps.filter(step => step.targetBitsPerSecond < 50e6)
  t.same(judge({ ...measurement, paths: [{ ...path, steps }] }).levels, { pyramid: 'no-go', whole: 'no-go', overview: 'go', slides: 'limits' })
})

t.test('simulated lines and too few samples are said on the face', async t => {
  const face = (measurement: AcceptanceMeasurement): readonly boolean[] => {
    const { isSimulated, isFewSamples } = judgeAcceptance(measurement, QUESTION)
    return [isSimulated, isFewSamples]
  }
  t.same(face(madeUpMeasurement()), [false, false])
  t.same(face({ ...madeUpMeasurement(), isSimulated: true }), [true, false])
  t.same(face(madeUpMeasurement(() => ({ seconds: 1 }))), [false, true])
  t.ok(ENOUGH_PACKETS >= 30_000, 'none of them lost bounds a loss of 1e-4 with 95 % confidence')
})
