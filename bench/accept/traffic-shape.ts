import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const FrameBytes = z.array(z.int().min(1).max(16 * 2 ** 20)).min(1).max(10_000)

/** Sizes of encoded frames as they were recorded: what a line is loaded with, without the pictures. */
export const RecordedShapes = z.strictObject({
  version: z.literal(1),
  /** How they were made. */
  note: z.string(),
  framesPerSecond: z.number().min(1).max(240),
  /** RTP payload bytes by image, of the overview and of each tile at full resolution; keyframes are staggered. */
  pyramid: z.record(z.string(), FrameBytes),
  /** The same of one stream of the whole image, whose keyframes are whole. */
  whole: FrameBytes,
})
export type RecordedShapes = z.infer<typeof RecordedShapes>

/** What a load looks like on the line. */
export const SHAPES = ['pyramid', 'whole'] as const
export type Shape = (typeof SHAPES)[number]

const FILE = new URL('recorded-shapes.json', import.meta.url)

/** Payload of a full packet. @see clients/capture/encoder-arguments.ts, where encoders are told so */
export const PAYLOAD_BYTES = 1180
/** RTP header, a link's own around it, UDP and IPv4: what a packet of video has on the line besides its payload. */
const AROUND_PAYLOAD_BYTES = 76
/** UDP and IPv4 headers. @see RFC 768, RFC 791 */
export const IP_UDP_BYTES = 28
/** The part of a frame interval that one image is spread over. @see clients/capture/pacer.ts */
const SPREAD_SHARE = 0.8

/** The recorded shapes that come with the bench. */
export const loadRecordedShapes = async (): Promise<RecordedShapes> => RecordedShapes.parse(JSON.parse(await readFile(FILE, 'utf8')))

/** Rate of some frames, in bits per second of IP packets. */
export function shapeRate(frames: readonly (readonly number[])[], framesPerSecond: number): number {
  const images = Math.max(...frames.map(each => each.length))
  const bytes = frames.flat().reduce((sum, size) => sum + ipBytes(size), 0)
  return (8 * bytes * framesPerSecond) / images
}

/** A frame as packets on the line. */
const ipBytes = (payload: number): number => payload + Math.ceil(payload / PAYLOAD_BYTES) * AROUND_PAYLOAD_BYTES

/** One datagram of a load. */
export interface ScheduledDatagram {
  /** Since the load began. */
  readonly atMillis: number
  /** UDP payload. */
  readonly bytes: number
}

/**
 * A load of a recorded shape: images of the size and in the order of a recording, brought to a rate. Of a pyramid, so
 * many renditions as come closest are taken, the overview first; what is still missing or too much scales every
 * frame. The packets of an image are spread as a capture agent's pacer spreads them, so a large keyframe leaves
 * faster, not later. Does no I/O and reads no clock.
 */
export class LoadSchedule {
  readonly #images: readonly (readonly number[])[]
  readonly #interval: number

  constructor(shapes: RecordedShapes, shape: Shape, bitsPerSecond: number) {
    const frames = shape === 'whole' ? [shapes.whole] : chooseTracks(shapes, bitsPerSecond)
    const factor = bitsPerSecond / shapeRate(frames, shapes.framesPerSecond)
    const count = Math.min(...frames.map(each => each.length))
    this.#interval = 1000 / shapes.framesPerSecond
    this.#images = Array.from({ length: count }, (_, image) => frames.flatMap(track => datagramSizes((track[image] ?? 1) * factor)))
  }

  /** Every datagram of the first `durationMillis`, in order; the recording is repeated without end. */
  *datagrams(durationMillis: number): Generator<ScheduledDatagram> {
    for (let image = 0; image * this.#interval < durationMillis; image++) {
      const sizes = this.#images[image % this.#images.length] ?? []
      const beginsAt = image * this.#interval
      const step = (this.#interval * SPREAD_SHARE) / Math.max(1, sizes.length)
      for (const [index, bytes] of sizes.entries()) yield { atMillis: beginsAt + index * step, bytes }
    }
  }

  /** How many datagrams that is. */
  count(durationMillis: number): number {
    let count = 0
    for (let image = 0; image * this.#interval < durationMillis; image++) count += this.#images[image % this.#images.length]?.length ?? 0
    return count
  }
}

/** The overview, and as many tiles as come closest to the rate. */
function chooseTracks({ pyramid, framesPerSecond }: RecordedShapes, bitsPerSecond: number): readonly (readonly number[])[] {
  const chosen: (readonly number[])[] = []
  let sum = 0
  for (const [, frames] of Object.entries(pyramid).sort(([a], [b]) => Number(b === 'overview') - Number(a === 'overview'))) {
    const rate = shapeRate([frames], framesPerSecond)
    if (chosen.length > 0 && sum + rate / 2 > bitsPerSecond) break
    chosen.push(frames)
    sum += rate
  }
  return chosen
}

/** UDP payloads that a frame of so many bytes makes, its headers with them. */
function datagramSizes(payload: number): number[] {
  const around = AROUND_PAYLOAD_BYTES - IP_UDP_BYTES
  const full = Math.floor(payload / PAYLOAD_BYTES)
  const rest = Math.round(payload - full * PAYLOAD_BYTES)
  return [...Array.from({ length: full }, () => PAYLOAD_BYTES + around), ...(rest > 0 || full === 0 ? [rest + around] : [])]
}
