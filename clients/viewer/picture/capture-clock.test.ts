import t from 'tap'
import { rtpTimestamp } from '../../../relay/wire/units.ts'
import { CaptureClock } from './capture-clock.ts'

t.test('counts from the image that was told of, either way and across the wrap', async t => {
  const clock = new CaptureClock()
  clock.take(rtpTimestamp(2 ** 32 - 3000), 1_000_000)
  t.equal(clock.capturedAt(rtpTimestamp(-3000)), 1_000_000)
  t.equal(clock.capturedAt(rtpTimestamp(87_000)), 1_001_000)
  t.equal(clock.capturedAt(rtpTimestamp(-12_000)), 999_900)
})

t.test('does not guess far from it, without it, or of another publication', async t => {
  const clock = new CaptureClock()
  t.equal(clock.capturedAt(rtpTimestamp(0)), undefined)
  clock.take(rtpTimestamp(0), 1_000_000)
  t.equal(clock.capturedAt(rtpTimestamp(450_000)), 1_005_000)
  t.equal(clock.capturedAt(rtpTimestamp(450_001)), undefined)
  t.equal(clock.capturedAt(rtpTimestamp(-450_001)), undefined)
  clock.reset()
  t.equal(clock.capturedAt(rtpTimestamp(0)), undefined)
})
