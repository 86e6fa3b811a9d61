import { rtpElapsed } from '../../../relay/wire/rtp-clock.ts'
import { VIDEO_CLOCK_RATE } from '../../../relay/wire/units.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import type { StampedFrame } from '../encoded-frame.ts'

/** How far back a frame can be decoded, in RTP ticks: as long as a person takes to press a key, and a request its way. */
const KEPT_TICKS = 3 * VIDEO_CLOCK_RATE
/** More than 100 Mbit/s in that time. */
const MAX_BYTES = 64 * 1024 * 1024

interface Gop {
  readonly frames: StampedFrame[]
  bytes: number
}

const sizeOf = ({ payloads }: StampedFrame): number => payloads.reduce((sum, payload) => sum + payload.length, 0)

/** The latest encoded frames of some renditions, as whole groups of pictures, so that each can be decoded. Reads no clock. */
export class CodedRing {
  readonly #renditions: ReadonlySet<RenditionId>
  readonly #gops = new Map<RenditionId, Gop[]>()
  #bytes = 0

  constructor(renditions: Iterable<RenditionId>) {
    this.#renditions = new Set(renditions)
  }

  /** Bytes of payload in it. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes the next frame of any rendition. */
  push(frame: StampedFrame): void {
    if (!this.#renditions.has(frame.renditionId)) return
    const gops = this.#gops.get(frame.renditionId) ?? []
    this.#gops.set(frame.renditionId, gops)
    if (frame.isKeyFrame) gops.push({ frames: [], bytes: 0 })
    const gop = gops.at(-1)
    if (gop === undefined) return
    const bytes = sizeOf(frame)
    gop.frames.push(frame)
    gop.bytes += bytes
    this.#bytes += bytes
    this.#forget(gops, frame.timestamp)
    while (this.#bytes > MAX_BYTES && this.#dropOldest()) continue
  }

  /** The source begins anew: what comes does not follow from what came. */
  clear(): void {
    this.#gops.clear()
    this.#bytes = 0
  }

  /** What a decoder needs to show a rendition at a timestamp: its keyframe and all up to that frame. Undefined when that is not here. */
  leadingTo(id: RenditionId, timestamp: RtpTimestamp): readonly StampedFrame[] | undefined {
    for (const { frames } of this.#gops.get(id) ?? []) {
      const index = frames.findIndex(frame => frame.timestamp === timestamp)
      if (index >= 0) return frames.slice(0, index + 1)
    }
    return undefined
  }

  /** A group goes when the one after it reaches far enough back. */
  #forget(gops: Gop[], now: RtpTimestamp): void {
    for (let next = gops[1]?.frames[0]; next !== undefined && rtpElapsed(next.timestamp, now) > KEPT_TICKS; next = gops[1]?.frames[0]) this.#drop(gops)
  }

  #dropOldest(): boolean {
    const longest = [...this.#gops.values()].sort((a, b) => b.length - a.length)[0]
    if (longest === undefined || longest.length === 0) return false
    this.#drop(longest)
    return true
  }

  #drop(gops: Gop[]): void {
    this.#bytes -= gops.shift()?.bytes ?? 0
  }
}
