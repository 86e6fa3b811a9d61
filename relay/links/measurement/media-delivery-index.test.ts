import { t } from 'tap'
import { bytes, millis } from '../../wire/units.ts'
import { MediaDeliveryIndex } from './media-delivery-index.ts'

/** RFC 4445 section 3.1 word by word: all 2k+1 values of the virtual buffer, drained at the measured rate. */
function delayFactorByTheBook(arrivals: readonly { readonly at: number; readonly size: number }[], beganAt: number): number {
  const total = arrivals.reduce((sum, { size }) => sum + size, 0)
  const rate = total / ((arrivals.at(-1)?.at ?? 0) - beganAt)
  const values = [0]
  let received = 0
  for (const { at, size } of arrivals) {
    values.push(received - rate * (at - beganAt))
    received += size
    values.push(received - rate * (at - beganAt))
  }
  return (Math.max(...values) - Math.min(...values)) / rate
}

t.test('an even stream needs a buffer of one packet', async t => {
  const index = new MediaDeliveryIndex()
  for (let at = 0; at <= 100; at++) index.received(bytes(1316), millis(5000 + at * 10))
  const { delayFactor = 0, mediaLossRate } = index.take(millis(6000)) ?? {}
  t.equal(delayFactor.toFixed(6), '10.000000')
  t.equal(mediaLossRate, 0)
})

t.test('frames sent at once need a buffer of one frame', async t => {
  const index = new MediaDeliveryIndex()
  // 25 frames per second, 20 packets each, back to back; the interval begins after the first frame.
  for (let frame = 0; frame <= 25; frame++) for (let packet = 0; packet < 20; packet++) index.received(bytes(1000), millis(1000 + frame * 40))
  const { delayFactor = 0 } = index.take(millis(2000)) ?? {}
  // The first packet opens the interval, 19 of its frame are in it: those make the rate 519 packets per second.
  t.equal(delayFactor.toFixed(6), delayFactorByTheBook([...Array(519).keys()].map(at => ({ at: Math.floor((at + 1) / 20) * 40, size: 1000 })), 0).toFixed(6))
  for (let frame = 26; frame <= 50; frame++) for (let packet = 0; packet < 20; packet++) index.received(bytes(1000), millis(1000 + frame * 40))
  t.equal(index.take(millis(3000))?.delayFactor.toFixed(6), '40.000000')
})

t.test('agrees with the RFC by the book on uneven arrivals of uneven packets', async t => {
  const index = new MediaDeliveryIndex()
  let state = 20_261_122
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  let now = 1000
  index.received(bytes(500), millis(now))
  for (let interval = 0; interval < 20; interval++) {
    const beganAt = now
    const arrivals: { at: number; size: number }[] = []
    while (now < beganAt + 1000) {
      now += random() < 0.05 ? random() * 80 : random()
      const size = Math.ceil(random() * 1400)
      arrivals.push({ at: now, size })
      index.received(bytes(size), millis(now))
    }
    t.equal(index.take(millis(now))?.delayFactor.toFixed(6), delayFactorByTheBook(arrivals, beganAt).toFixed(6))
  }
})

t.test('media loss rate is packets lost per second, and begins anew', async t => {
  const index = new MediaDeliveryIndex()
  for (let at = 0; at <= 200; at++) index.received(bytes(1000), millis(1000 + at * 10))
  index.lost(3)
  index.lost(2)
  t.equal(index.take(millis(3000))?.mediaLossRate, 2.5)
  for (let at = 201; at <= 300; at++) index.received(bytes(1000), millis(1000 + at * 10))
  t.equal(index.take(millis(4000))?.mediaLossRate, 0)
})

t.test('a stream that pauses has no index; one that is lost has the worst', async t => {
  const index = new MediaDeliveryIndex()
  t.equal(index.take(millis(500)), undefined)
  for (let at = 0; at < 100; at++) index.received(bytes(1000), millis(1000 + at * 10))
  index.take(millis(2000))
  t.equal(index.take(millis(3000)), undefined)
  for (let at = 0; at < 100; at++) index.received(bytes(1000), millis(60_000 + at * 10))
  t.equal(index.take(millis(61_000))?.delayFactor.toFixed(6), '10.000000', 'the pause is no delay')
  index.lost(100)
  t.same(index.take(millis(62_000)), { delayFactor: 1000, mediaLossRate: 100 })
})

t.test('a clock that goes back does not make the buffer negative', async t => {
  const index = new MediaDeliveryIndex()
  for (const at of [1000, 1010, 5, 1020, 1030]) index.received(bytes(1000), millis(at))
  t.ok((index.take(millis(2000))?.delayFactor ?? -1) > 0)
})
