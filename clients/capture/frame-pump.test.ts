import t from 'tap'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { millis, rtpTimestamp } from '../../relay/wire/units.ts'
import { FramePump } from './frame-pump.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { EncodedFrame } from './encoded-frame.ts'
import type { PacedPacket } from './pacer.ts'

const PYRAMID = planPyramid({ width: 64, height: 64, columns: 1, rows: 1, overviewWidth: 32, framesPerSecond: 30 })
const [OVERVIEW, TILE] = PYRAMID.renditions.map(rendition => rendition.id)

class ManualClock implements Clock {
  time = 0
  now = () => millis(this.time)
  sleep = () => Promise.reject(new Error('nothing here waits'))
}

const frame = (renditionId = OVERVIEW!, image = 0, isKeyFrame = true): EncodedFrame => ({
  renditionId,
  mediaTicks: image * 3000,
  isKeyFrame,
  payloads: [Buffer.from([1]), Buffer.from([2])],
})

t.test('counts images, not the frames of their renditions, also when those overlap', async t => {
  const clock = new ManualClock()
  const pump = new FramePump({ pyramid: PYRAMID, clock, origin: rtpTimestamp(0) })
  for (let image = 0; image < 150; image++) {
    clock.time = (image * 1000) / 30
    pump.push(frame(OVERVIEW, image))
    // The tile lags one image behind the overview.
    if (image > 0) pump.push(frame(TILE, image - 1))
    pump.push(frame(OVERVIEW, image))
  }
  t.same(pump.status, { state: 'live', framesPerSecond: 30 })
})

t.test('sends what comes while somebody listens, stamped on one clock, and nothing else', async t => {
  const clock = new ManualClock()
  const pump = new FramePump({ pyramid: PYRAMID, clock, origin: rtpTimestamp(0xffff_ffff) })
  pump.push(frame())
  const sent: PacedPacket[] = []
  const all = Promise.withResolvers<undefined>()
  pump.attach({
    send: packet => {
      sent.push(packet)
      clock.time += 5
      if (sent.length === 4) all.resolve(undefined)
    },
  })
  clock.time = 33
  pump.push(frame(OVERVIEW, 1))
  pump.push(frame(TILE, 1))
  await all.promise
  pump.detach()
  pump.push(frame(OVERVIEW, 2))
  t.same(sent.map(packet => [packet.renditionId, packet.timestamp, packet.marker]), [
    [OVERVIEW, 2999, false],
    [OVERVIEW, 2999, true],
    [TILE, 2999, false],
    [TILE, 2999, true],
  ])
})
