import { rtpElapsed } from '../../relay/wire/rtp-clock.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'
import type { StampedFrame } from './encoded-frame.ts'

/** A group of pictures of more frames, or more bytes, is not kept: a rendition of it has to wait for its next keyframe. */
const MAX_FRAMES = 256
const MAX_BYTES = 8 * 1024 * 1024

interface Gop {
  readonly frames: StampedFrame[]
  bytes: number
}

const sizeOf = ({ payloads }: StampedFrame): number => payloads.reduce((sum, payload) => sum + payload.length, 0)

/**
 * Keeps the frames of every rendition since its last keyframe, sent or not, so that one that is woken
 * can begin at once with a picture that is complete.
 */
export class GopStore {
  readonly #gops = new Map<RenditionId, Gop>()

  /** Takes the next frame of a rendition. */
  push(frame: StampedFrame): void {
    const gop = frame.isKeyFrame ? { frames: [], bytes: 0 } : this.#gops.get(frame.renditionId)
    if (gop === undefined) return
    gop.frames.push(frame)
    gop.bytes += sizeOf(frame)
    if (gop.frames.length > MAX_FRAMES || gop.bytes > MAX_BYTES) this.#gops.delete(frame.renditionId)
    else this.#gops.set(frame.renditionId, gop)
  }

  /** Frames of a rendition are missing: nothing can be begun with before its next keyframe. */
  break(id: RenditionId): void {
    this.#gops.delete(id)
  }

  /** The frames since the last keyframe of a rendition; none when the newest is more than `maxAge` ticks older than `now`. */
  current(id: RenditionId, now: RtpTimestamp, maxAge: number): { readonly frames: readonly StampedFrame[]; readonly bytes: number } {
    const gop = this.#gops.get(id)
    const newest = gop?.frames.at(-1)
    if (gop === undefined || newest === undefined || rtpElapsed(newest.timestamp, now) > maxAge) return { frames: [], bytes: 0 }
    return { frames: gop.frames, bytes: gop.bytes }
  }
}
