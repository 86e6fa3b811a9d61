import { OVERVIEW, RenditionId } from '../../relay/wire/ids.ts'
import { Pyramid, tilePosition, tileRegion } from '../../relay/wire/pyramid.ts'
import type { FanoutSchedule } from './fanout-schedule.ts'

const IMAGE = { width: 7680, height: 4320 }
const OVERVIEW_SIZE = { width: 1920, height: 1080 }

/** What a microscope would say that it publishes: an overview and its tiles, or one stream of the whole image. */
export function fanoutPyramid({ tracks, packets, loopMicros }: FanoutSchedule): Pyramid {
  const positions = tracks.map(track => tilePosition(RenditionId.parse(track))).filter(position => position !== undefined)
  const grid = {
    columns: Math.max(0, ...positions.map(({ column }) => column + 1)),
    rows: Math.max(0, ...positions.map(({ row }) => row + 1)),
  }
  const rate = (track: number): number => {
    const bytes = packets.reduce((sum, packet) => sum + (packet.track === track ? packet.payloadBytes : 0), 0)
    return Math.max(1, Math.round((8e6 * bytes) / loopMicros))
  }
  return Pyramid.parse({
    ...IMAGE, ...grid, framesPerSecond: 30, middle: null,
    renditions: tracks.map((track, index) => {
      const id = RenditionId.parse(track)
      const position = tilePosition(id)
      const whole = { x: 0, y: 0, ...IMAGE }
      const region = position === undefined ? whole : tileRegion({ ...IMAGE, ...grid }, position.column, position.row)
      const size = id === OVERVIEW && grid.columns > 0 ? OVERVIEW_SIZE : { width: region.width, height: region.height }
      return { id, codec: 'H264' as const, region, ...size, bitsPerSecond: rate(index) }
    }),
  })
}
