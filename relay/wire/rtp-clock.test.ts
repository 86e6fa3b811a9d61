import { t } from 'tap'
import { isRtpNewer, rtpElapsed } from './rtp-clock.ts'
import { rtpTimestamp } from './units.ts'

t.test('measures forwards, backwards and across the wrap', async t => {
  t.equal(rtpElapsed(rtpTimestamp(1000), rtpTimestamp(4000)), 3000)
  t.equal(rtpElapsed(rtpTimestamp(4000), rtpTimestamp(1000)), -3000)
  t.equal(rtpElapsed(rtpTimestamp(0xffff_fff0), rtpTimestamp(0x10)), 0x20)
})

t.test('is newer only when strictly later', async t => {
  t.ok(isRtpNewer(rtpTimestamp(5), rtpTimestamp(0xffff_ffff)))
  t.notOk(isRtpNewer(rtpTimestamp(5), rtpTimestamp(5)))
  t.notOk(isRtpNewer(rtpTimestamp(0xffff_ffff), rtpTimestamp(5)))
})

t.test('reduces modulo 2^32', async t => {
  t.equal(rtpTimestamp(2 ** 32 + 7), 7)
  t.equal(rtpTimestamp(-1), 0xffff_ffff)
})
