import { rtpElapsed } from '../../../relay/wire/rtp-clock.ts'
import { VIDEO_CLOCK_RATE } from '../../../relay/wire/units.ts'
import type { RtpTimestamp } from '../../../relay/wire/units.ts'

/** So far from the image that was told of, in ticks, the RTP clock is not known to agree with any other: 5 seconds. */
const REACH_TICKS = 5 * VIDEO_CLOCK_RATE

/** Tells when an image was captured, from the last one of which that was told. */
export class CaptureClock {
  #told: { readonly rtpTimestamp: RtpTimestamp; readonly capturedAtMillis: number } | undefined

  /** The node said when an image was captured, in milliseconds since the epoch on its clock. */
  take(rtpTimestamp: RtpTimestamp, capturedAtMillis: number): void {
    this.#told = { rtpTimestamp, capturedAtMillis }
  }

  /** When that image was captured, in milliseconds since the epoch on the node's clock; undefined where it is not known. */
  capturedAt(rtpTimestamp: RtpTimestamp): number | undefined {
    if (this.#told === undefined) return undefined
    const ticks = rtpElapsed(this.#told.rtpTimestamp, rtpTimestamp)
    return Math.abs(ticks) > REACH_TICKS ? undefined : this.#told.capturedAtMillis + (ticks * 1000) / VIDEO_CLOCK_RATE
  }

  /** Another publication: its RTP clock is another. */
  reset(): void {
    this.#told = undefined
  }
}
