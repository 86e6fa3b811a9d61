import t from 'tap'
import { Experience } from '../../relay/wire/signaling.ts'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import { ExperienceMeter } from './experience-meter.ts'
import type { MeteredState } from './experience-meter.ts'
import { NO_FREEZES } from './picture/freeze-meter.ts'

const START = 1_800_000_000_000
/** The node's clock is so far ahead of the page's. */
const OFFSET = 70_000

const drawn = (frame: number, atMs: number, rest: Partial<MeteredState> = {}): MeteredState => ({
  shown: { rtpTimestamp: rtpTimestamp(frame * 3000), overviewRtpTimestamp: null, tiles: [] },
  instantDrawnAtMs: atMs,
  framesDrawn: frame,
  freezes: NO_FREEZES,
  nativePixelRatio: 1,
  ...rest,
})

/** Draws an instant every 100 ms of which the n-th was captured `age(n)` before it was drawn. */
function play(meter: ExperienceMeter, frames: number, age: (frame: number) => number): void {
  for (let frame = 0; frame <= frames; frame++) {
    const at = START + frame * 100
    meter.captured(rtpTimestamp(frame * 3000), at + OFFSET - age(frame))
    meter.take(drawn(frame, at))
  }
}

function started(): ExperienceMeter {
  const meter = new ExperienceMeter()
  meter.publicationChanged(START)
  return meter
}

t.test('has nothing to report before the first drawing', async t => {
  t.equal(started().report(START + 2000), undefined)
})

t.test('reports rate, freezes and native pixels of the interval alone', async t => {
  const meter = started()
  for (let frame = 0; frame <= 60; frame++) meter.take(drawn(frame, START + frame * 33, { nativePixelRatio: frame < 31 ? 0.5 : 1 }))
  meter.take(drawn(60, START + 60 * 33, { freezes: { count: 1, longestSeconds: 0.4, lastSeconds: 0.4 }, nativePixelRatio: 0.5 }))
  meter.take(drawn(61, START + 2000, { freezes: { count: 2, longestSeconds: 0.4, lastSeconds: 0.2 }, nativePixelRatio: 0.5 }))
  const first = meter.report(START + 2000)
  t.match(first, { framesPerSecond: 30.5, freezes: 2, longestFreezeMillis: 400, captureToGlassMillis: null })
  t.ok(Math.abs(first!.nativePixelRatio - (33 * 0.5 + 30) / 63) < 1e-9)
  meter.take(drawn(62, START + 2033, { freezes: { count: 2, longestSeconds: 0.4, lastSeconds: 0.2 } }))
  t.match(meter.report(START + 4000), { framesPerSecond: 0.5, freezes: 0, longestFreezeMillis: 0, nativePixelRatio: 1 })
})

t.test('tells how old the picture is when the clocks are known', async t => {
  const meter = started()
  meter.clockRead({ sentAtMillis: START - 10, nodeTimeMillis: START + OFFSET, receivedAtMillis: START + 10 })
  play(meter, 19, frame => (frame < 18 ? 120 : 300))
  const { captureToGlassMillis } = meter.report(START + 2000)!
  t.ok(Math.abs(captureToGlassMillis!.p50 - 120) < 1e-3)
  t.ok(Math.abs(captureToGlassMillis!.p95 - 300) < 1e-3)
})

t.test('says nothing of age while a clock is unknown, or of another session or publication', async t => {
  const blind = started()
  play(blind, 19, () => 120)
  t.equal(blind.report(START + 2000)!.captureToGlassMillis, null, 'without the node\'s clock')
  const meter = started()
  meter.clockRead({ sentAtMillis: START, nodeTimeMillis: START + OFFSET, receivedAtMillis: START })
  meter.take(drawn(1, START + 33))
  t.equal(meter.report(START + 2000)!.captureToGlassMillis, null, 'without the agent\'s clock')
  meter.captured(rtpTimestamp(3000), START + OFFSET)
  t.ok(Math.abs(meter.captureToGlass(drawn(1, START + 33))! - 33) < 1e-9)
  meter.joined()
  t.equal(meter.captureToGlass(drawn(1, START + 33)), undefined)
  meter.clockRead({ sentAtMillis: START, nodeTimeMillis: START + OFFSET, receivedAtMillis: START })
  meter.publicationChanged(START)
  t.equal(meter.captureToGlass(drawn(1, START + 33)), undefined)
})

t.test('an image from the future is clock error as far as that goes, and beyond it unknown', async t => {
  const meter = started()
  meter.clockRead({ sentAtMillis: START - 10, nodeTimeMillis: START + OFFSET, receivedAtMillis: START + 10 })
  meter.captured(rtpTimestamp(0), START + OFFSET + 9)
  t.equal(meter.captureToGlass(drawn(0, START + 10)), 1)
  t.equal(meter.captureToGlass(drawn(0, START)), 0)
  t.equal(meter.captureToGlass(drawn(0, START - 2)), undefined)
})

t.test('what passed while nobody looked is not reported', async t => {
  const meter = started()
  meter.take(drawn(0, START))
  meter.take(drawn(1, START + 60_000, { freezes: { count: 1, longestSeconds: 60, lastSeconds: 60 } }))
  meter.restart(START + 60_000)
  meter.take(drawn(31, START + 61_000, { freezes: { count: 1, longestSeconds: 60, lastSeconds: 60 } }))
  t.match(meter.report(START + 61_000), { framesPerSecond: 30, freezes: 0, longestFreezeMillis: 0 })
})

t.test('never says what the node would refuse', async t => {
  const meter = started()
  meter.take(drawn(0, START))
  meter.take(drawn(1e6, START + 1, { freezes: { count: 1e6, longestSeconds: 1e6, lastSeconds: 1e6 }, nativePixelRatio: 1 + 1e-12 }))
  t.ok(Experience.safeParse(meter.report(START + 2)).success)
})
