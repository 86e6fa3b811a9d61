import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { PublicationId } from '../../relay/wire/ids.ts'
import { millis, rtpTimestamp } from '../../relay/wire/units.ts'
import { FrameClock } from './frame-clock.ts'

const ONE = PublicationId.parse(randomUUID())
const OTHER = PublicationId.parse(randomUUID())

t.test('refuses frames from the future, also where the clock wraps', async t => {
  const clock = new FrameClock()
  clock.check(ONE, rtpTimestamp(1e9), millis(0))
  const start = 2 ** 32 - 45_000
  clock.heard(ONE, rtpTimestamp(start), millis(0))
  clock.check(ONE, rtpTimestamp(start + 90_000), millis(0))
  t.throws(() => clock.check(ONE, rtpTimestamp(start + 90_001), millis(0)), { code: 'out_of_range' })
  clock.check(ONE, rtpTimestamp(start + 180_000), millis(1000))
  clock.check(ONE, rtpTimestamp(start - 900_000), millis(1000))
  clock.check(OTHER, rtpTimestamp(start + 900_000), millis(1000))
})

t.test('an older image does not set the clock back, and another publication starts it anew', async t => {
  const clock = new FrameClock()
  clock.heard(ONE, rtpTimestamp(900_000), millis(0))
  clock.heard(ONE, rtpTimestamp(0), millis(10))
  clock.check(ONE, rtpTimestamp(985_000), millis(10))
  clock.heard(OTHER, rtpTimestamp(0), millis(20))
  t.throws(() => clock.check(OTHER, rtpTimestamp(985_000), millis(20)), { code: 'out_of_range' })
})
