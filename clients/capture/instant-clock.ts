import { markCoarse } from '../../relay/wire/coarse-mark.ts'
import { millis, rtpTimestamp, VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import type { Millis, RtpTimestamp } from '../../relay/wire/units.ts'

const TICKS_PER_MILLI = VIDEO_CLOCK_RATE / 1000

/** How many images back a rendition may lag behind the others, and somebody may ask for one. */
const REMEMBERED_IMAGES = 1024

/** What {@link InstantClock} may be told. */
export interface InstantClockOptions {
  /** Timestamp of the first image; random in practice. @see RFC 3550 section 5.1 */
  readonly origin: RtpTimestamp
  /** The nominal distance of two images. */
  readonly frameInterval: Millis
}

/**
 * Places images on the one RTP clock that all renditions share. Reads no clock: `now` is an argument.
 *
 * An image that comes about when it should stands on the nominal grid. One that is late, because the
 * encoder is too slow or the source paused, stands where it arrived, so that the RTP clock never runs
 * slower than time itself; a receiver's jitter buffer rests on that. A source that hurries to catch up
 * is squeezed to half steps. Timestamps only ever grow, over restarts of the source too.
 */
export class InstantClock {
  readonly #intervalTicks: number
  readonly #placed = new Map<number, RtpTimestamp>()
  /** The newest image: where it is on our clock (not wrapped), and in its own media time. */
  #newest: { ticks: number; mediaTicks: number | undefined } | undefined
  readonly #origin: RtpTimestamp
  #epoch: Millis | undefined

  constructor(options: InstantClockOptions) {
    this.#origin = options.origin
    this.#intervalTicks = options.frameInterval * TICKS_PER_MILLI
  }

  /** The source starts over: media time begins again at 0. */
  restart(): void {
    this.#placed.clear()
    if (this.#newest !== undefined) this.#newest.mediaTicks = undefined
  }

  /**
   * The timestamp of the image at `mediaTicks`, the same for every rendition that asks.
   *
   * @param mediaTicks - Media time since the source (re)started, in RTP ticks.
   * @param now - When a rendition of it arrived, on a monotonic clock.
   * @param isCoarse - What the lowest bit shall say of it; undefined where it says nothing.
   * @returns undefined for an image older than all that are remembered, or one that was skipped.
   */
  timestampOf(mediaTicks: number, now: Millis, isCoarse?: boolean): RtpTimestamp | undefined {
    const known = this.#placed.get(mediaTicks)
    if (known !== undefined) return known
    const placed = this.#place(mediaTicks, now)
    if (placed === undefined) return undefined
    const ticks = isCoarse === undefined ? placed : this.#mark(placed, isCoarse)
    this.#newest = { ticks, mediaTicks }
    const timestamp = rtpTimestamp(this.#origin + ticks)
    this.#placed.set(mediaTicks, timestamp)
    if (this.#placed.size > REMEMBERED_IMAGES) this.#forgetOldest()
    return timestamp
  }

  /** The timestamp of an image that was placed before; undefined for any other, or one that is forgotten. */
  known(mediaTicks: number): RtpTimestamp | undefined {
    return this.#placed.get(mediaTicks)
  }

  /** The media time of the image that stands at `timestamp`; undefined for one that never came, or long ago. */
  mediaTicksOf(timestamp: RtpTimestamp): number | undefined {
    for (const [mediaTicks, placed] of this.#placed) if (placed === timestamp) return mediaTicks
    return undefined
  }

  #place(mediaTicks: number, now: Millis): number | undefined {
    this.#epoch ??= now
    if (this.#newest === undefined) return 0
    const { ticks, mediaTicks: newestMedia } = this.#newest
    const step = newestMedia === undefined ? this.#intervalTicks : mediaTicks - newestMedia
    if (step <= 0) return undefined
    const arrival = Math.round(millis(now - this.#epoch) * TICKS_PER_MILLI)
    const lateness = arrival - (ticks + step)
    if (lateness > this.#intervalTicks) return arrival
    if (lateness < -4 * this.#intervalTicks) return ticks + Math.max(1, Math.floor(step / 2))
    return Math.round(ticks + step)
  }

  /** The nearest time with that mark that is not before the newest image. */
  #mark(ticks: number, isCoarse: boolean): number {
    const marked = markCoarse(this.#origin + ticks, isCoarse) - this.#origin
    return this.#newest !== undefined && marked <= this.#newest.ticks ? marked + 2 : marked
  }

  #forgetOldest(): void {
    const oldest = this.#placed.keys().next()
    if (oldest.done !== true) this.#placed.delete(oldest.value)
  }
}
