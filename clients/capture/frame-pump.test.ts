import t from 'tap'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { bitsPerSecond, millis, rtpTimestamp } from '../../relay/wire/units.ts'
import { FramePump } from './frame-pump.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Cadence, Demand } from '../../relay/wire/signaling.ts'
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

const demandOf = (serial: number, renditions: RenditionId[], woken: RenditionId[] = [], cadence: Cadence = 'full'): Demand => ({
  serial, woken, renditions: renditions.map(renditionId => ({ renditionId, cadence })),
})

/** A pump with somebody who listens, and all that was sent. */
function listening() {
  const clock = new ManualClock()
  const pump = new FramePump({ pyramid: PYRAMID, clock, origin: rtpTimestamp(0), followsDemand: false })
  const sent: PacedPacket[] = []
  pump.attach({ send: packet => sent.push(packet) })
  /** Lets the pacer send whatever it has. */
  const drain = async (): Promise<string[]> => {
    for (let step = 0; step < 40; step++) {
      clock.time += 2
      await new Promise(resolve => setTimeout(resolve, 0))
      await new Promise(resolve => setTimeout(resolve, 3))
    }
    return sent.splice(0).filter(({ marker }) => marker).map(({ renditionId, timestamp }) => `${renditionId} ${timestamp / 3000}`)
  }
  const image = (number: number, isKeyFrame: boolean): void => {
    for (const id of [OVERVIEW!, TILE!]) pump.push(frame(id, number, isKeyFrame))
  }
  return { pump, drain, image }
}

t.test('sends keyframes of the overview until somebody asks, and then only what is asked for', async t => {
  const { pump, drain, image } = listening()
  for (let number = 0; number < 4; number++) image(number, number % 2 === 0)
  t.same(await drain(), ['overview 0', 'overview 2'])
  pump.demand(demandOf(1, [TILE!]))
  image(4, true)
  t.same(await drain(), [`${TILE} 4`])
  pump.demand(demandOf(0, [OVERVIEW!]))
  image(5, false)
  t.same(await drain(), [`${TILE} 5`], 'an older demand is void')
  pump.detach()
})

t.test('begins a rendition that is woken with its last keyframe and all that followed', async t => {
  const { pump, drain, image } = listening()
  for (let number = 0; number < 4; number++) image(number, number === 1)
  await drain()
  pump.demand(demandOf(1, [TILE!], [TILE!]))
  t.same(await drain(), [1, 2, 3].map(number => `${TILE} ${number}`))
  image(4, false)
  t.same(await drain(), [`${TILE} 4`])
  pump.demand(demandOf(2, [TILE!], [TILE!]))
  t.same(await drain(), [1, 2, 3, 4].map(number => `${TILE} ${number}`), 'again, for somebody else')
  pump.detach()
})

t.test('waits for the next keyframe where a narrow line has no room for the past', async t => {
  const { pump, drain, image } = listening()
  pump.limit(bitsPerSecond(100))
  for (let number = 0; number < 2; number++) image(number, number === 0)
  pump.demand(demandOf(1, [TILE!], [TILE!]))
  pump.limit(undefined)
  image(2, false)
  image(3, true)
  t.same((await drain()).filter(line => line.startsWith(TILE!)), [`${TILE} 3`])
  pump.detach()
})

t.test('counts images, not the frames of their renditions, also when those overlap', async t => {
  const clock = new ManualClock()
  const pump = new FramePump({ pyramid: PYRAMID, clock, origin: rtpTimestamp(0), followsDemand: false })
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
  const pump = new FramePump({ pyramid: PYRAMID, clock, origin: rtpTimestamp(0xffff_ffff), followsDemand: false })
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
  pump.demand(demandOf(1, [OVERVIEW!, TILE!]))
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
