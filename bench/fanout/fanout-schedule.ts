import { PAYLOAD_BYTES } from '../accept/traffic-shape.ts'
import type { RecordedShapes, Shape } from '../accept/traffic-shape.ts'

/** The part of a frame interval that one image is spread over. @see clients/capture/pacer.ts */
const SPREAD_SHARE = 0.8
/** A keyframe is at least this large, of its track's largest frame. */
const KEY_FRAME_SHARE = 0.5

/** One RTP packet of a recording. */
export interface ScheduledPacket {
  /** Since the recording began. */
  readonly atMicros: number
  /** Index into {@link FanoutSchedule.tracks}. */
  readonly track: number
  readonly payloadBytes: number
  readonly beginsKeyFrame: boolean
  readonly endsFrame: boolean
}

/** What one microscope sends, again and again. */
export interface FanoutSchedule {
  /** Names of renditions; each has a stream of its own. */
  readonly tracks: readonly string[]
  readonly loopMicros: number
  /** In order of time. */
  readonly packets: readonly ScheduledPacket[]
}

/** A recording as packets, at its own rate: the images spread as a capture agent's pacer spreads them. Does no I/O. */
export function fanoutSchedule({ pyramid, whole, framesPerSecond }: RecordedShapes, shape: Shape): FanoutSchedule {
  const sizes: Readonly<Record<string, readonly number[]>> = shape === 'whole' ? { overview: whole } : pyramid
  const tracks = Object.keys(sizes)
  const series = Object.values(sizes)
  const largest = series.map(frames => Math.max(...frames))
  const interval = 1e6 / framesPerSecond
  const images = Math.min(...series.map(frames => frames.length))
  const packets = Array.from({ length: images }, (_, image) => {
    const ofImage = series.flatMap((frames, track) => {
      const size = frames[image] ?? 0
      return framePackets(track, size, size >= KEY_FRAME_SHARE * (largest[track] ?? 0))
    })
    const step = (interval * SPREAD_SHARE) / ofImage.length
    return ofImage.map((packet, index) => ({ ...packet, atMicros: Math.round(image * interval + index * step) }))
  }).flat()
  return { tracks, loopMicros: Math.round(images * interval), packets }
}

function framePackets(track: number, size: number, isKeyFrame: boolean): Omit<ScheduledPacket, 'atMicros'>[] {
  const count = Math.max(1, Math.ceil(size / PAYLOAD_BYTES))
  return Array.from({ length: count }, (_, index) => ({
    track,
    payloadBytes: Math.max(1, Math.min(PAYLOAD_BYTES, size - index * PAYLOAD_BYTES)),
    beginsKeyFrame: isKeyFrame && index === 0,
    endsFrame: index === count - 1,
  }))
}

/** The schedule as `native/rtp-source.c` reads it. */
export const scheduleText = ({ packets }: FanoutSchedule): string =>
  packets.map(({ atMicros, track, payloadBytes, beginsKeyFrame, endsFrame }) => `${atMicros} ${track} ${payloadBytes} ${Number(beginsKeyFrame) + 2 * Number(endsFrame)}\n`).join('')
