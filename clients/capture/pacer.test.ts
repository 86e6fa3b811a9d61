import t from 'tap'
import { tileId } from '../../relay/wire/ids.ts'
import { bitsPerSecond, millis, rtpTimestamp } from '../../relay/wire/units.ts'
import { Pacer } from './pacer.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { StampedFrame } from './encoded-frame.ts'

const A = tileId(0, 0), B = tileId(1, 0)
const FRAME_INTERVAL = millis(40)
const pacerFor = (...renditionIds: RenditionId[]): Pacer => new Pacer({ renditionIds, frameInterval: FRAME_INTERVAL, maxDelay: millis(120) })
const frame = (renditionId: RenditionId, image: number, isKeyFrame = false, packets = 10): StampedFrame => ({
  renditionId,
  mediaTicks: image * 3600,
  timestamp: rtpTimestamp(image * 3600),
  isKeyFrame,
  payloads: Array.from({ length: packets }, () => Buffer.alloc(1000)),
})

t.test('spreads a burst over most of the frame interval, in order, with one marker per frame', async t => {
  const pacer = pacerFor(A, B)
  pacer.push(frame(A, 0, true), millis(0))
  pacer.push(frame(B, 0, true), millis(0))
  let now = 0
  let sent = 0
  let markers = 0
  let largest = 0
  for (;;) {
    const { send, wakeAt } = pacer.step(millis(now))
    sent += send.length
    markers += send.filter(packet => packet.marker).length
    largest = Math.max(largest, send.length)
    if (wakeAt === undefined) break
    now = wakeAt
  }
  t.same([sent, markers], [20, 2])
  t.ok(now >= 0.5 * FRAME_INTERVAL && now <= FRAME_INTERVAL, `took ${now} ms`)
  t.ok(largest <= 6, `at most ${largest} packets at once`)
})

t.test('holds a rendition back until its first keyframe', async t => {
  const pacer = pacerFor(A)
  pacer.push(frame(A, 0), millis(0))
  t.same(pacer.step(millis(0)), { send: [], wakeAt: undefined })
  t.equal(pacer.takeDropped(), 1)
})

t.test('drops what waited too long, with all that builds on it, and nothing else', async t => {
  const pacer = pacerFor(A, B)
  pacer.push(frame(A, 0, true), millis(0))
  pacer.push(frame(A, 1), millis(40))
  pacer.push(frame(B, 1, true), millis(40))
  // Nobody asked for 130 ms: the first frame is older than the limit, and the second builds on it.
  const { send } = pacer.step(millis(130))
  t.ok(send.length > 0 && send.every(packet => packet.renditionId === B))
  t.equal(pacer.takeDropped(), 2)
  pacer.push(frame(A, 2), millis(131))
  t.equal(pacer.takeDropped(), 1, 'still waiting for a keyframe')
  pacer.push(frame(A, 3, true), millis(132))
  t.equal(pacer.takeDropped(), 0)
})

t.test('keeps the keyframe behind a dropped frame, and what builds on that', async t => {
  const pacer = pacerFor(A)
  pacer.push(frame(A, 0, true), millis(0))
  pacer.push(frame(A, 1, true), millis(100))
  pacer.push(frame(A, 2), millis(101))
  pacer.step(millis(125))
  t.equal(pacer.takeDropped(), 1)
  let sent = 0
  for (let now = 127; now < 200; now += 2) sent += pacer.step(millis(now)).send.length
  t.ok(sent > 0 && sent <= 20)
})

t.test('is bounded by count when time stands still', async t => {
  const pacer = pacerFor(A)
  for (let image = 0; image < 1000; image++) pacer.push(frame(A, image, true), millis(0))
  const dropped = pacer.takeDropped()
  t.ok(dropped >= 990, `dropped ${dropped}`)
})

t.test('does not empty itself at once after a stall', async t => {
  const pacer = pacerFor(A)
  for (let image = 0; image < 3; image++) pacer.push(frame(A, image, image === 0, 40), millis(image * 10))
  const first = pacer.step(millis(90)).send.length
  t.ok(first > 0 && first <= 80, `${first} of 120 packets`)
  t.equal(pacer.takeDropped(), 0)
})

t.test('lets what flows go before what catches up, and never sends one packet of it twice', async t => {
  const pacer = pacerFor(A, B)
  pacer.push(frame(A, 0, true), millis(0))
  pacer.restart(B, [frame(B, -2, true), frame(B, -1), frame(B, 0)], millis(0))
  pacer.push(frame(A, 1), millis(1))
  const order: string[] = []
  for (let now = 0; now < 200; now += 2) for (const { renditionId, marker } of pacer.step(millis(now)).send) if (marker) order.push(renditionId)
  t.same(order, [A, A, B, B, B])
  t.equal(pacer.takeDropped(), 0)
})

t.test('forgets what was queued of a rendition that begins anew, or is no longer wanted', async t => {
  const pacer = pacerFor(A)
  pacer.push(frame(A, 0, true), millis(0))
  pacer.restart(A, [frame(A, 1, true)], millis(0))
  let sent = 0
  for (let now = 0; now < 100; now += 2) sent += pacer.step(millis(now)).send.length
  t.equal(sent, 10)
  pacer.push(frame(A, 2), millis(100))
  pacer.release(A)
  t.same(pacer.step(millis(101)), { send: [], wakeAt: undefined })
})

t.test('keeps to a limit, whatever waits', async t => {
  const pacer = pacerFor(A)
  pacer.limit(bitsPerSecond(8e6), millis(0))
  pacer.push(frame(A, 0, true, 100), millis(0))
  let bytes = 0
  for (let now = 0; now < 50; now += 2) bytes += 1000 * pacer.step(millis(now)).send.length
  t.ok(bytes >= 40_000 && bytes <= 55_000, `${bytes} bytes in 50 ms at 1 MB/s`)
})

t.test('under a limit sends image by image, the most important first, also when the source began anew', async t => {
  const pacer = pacerFor(A, B)
  pacer.limit(bitsPerSecond(80e6), millis(0))
  pacer.prioritise([B, A])
  pacer.push({ ...frame(A, 5, true), timestamp: rtpTimestamp(1000) }, millis(0))
  pacer.push({ ...frame(B, 5, true), timestamp: rtpTimestamp(1000) }, millis(0))
  // Media time starts at 0 again; the RTP clock goes on.
  pacer.push({ ...frame(A, 0, true), timestamp: rtpTimestamp(4000) }, millis(1))
  const order: string[] = []
  for (let now = 2; now < 100; now += 2) for (const { renditionId, timestamp, marker } of pacer.step(millis(now)).send) if (marker) order.push(`${renditionId} ${timestamp}`)
  t.same(order, [`${B} 1000`, `${A} 1000`, `${A} 4000`])
})
