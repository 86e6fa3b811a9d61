import { RelayFault } from '../../relay/wire/fault.ts'
import { isRtpNewer, rtpElapsed } from '../../relay/wire/rtp-clock.ts'
import { FUTURE_FRAME_SECONDS } from '../../relay/wire/signaling.ts'
import { rtpTimestamp, VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import type { PublicationId } from '../../relay/wire/ids.ts'
import type { Millis, RtpTimestamp } from '../../relay/wire/units.ts'

/**
 * Knows about how far the RTP clock of a publication has come, from the images that its microscope speaks of.
 * Reads no clock.
 */
export class FrameClock {
  #newest: { readonly publicationId: PublicationId; readonly timestamp: RtpTimestamp; readonly at: Millis } | undefined

  /** The microscope spoke of an image. */
  heard(publicationId: PublicationId, timestamp: RtpTimestamp, now: Millis): void {
    const newest = this.#newest
    if (newest?.publicationId !== publicationId || isRtpNewer(timestamp, this.#expected(newest, now))) this.#newest = { publicationId, timestamp, at: now }
  }

  /**
   * Refuses a frame that nobody can have seen yet. Where the microscope has spoken of no image, anything may have been.
   *
   * @throws {RelayFault} `out_of_range`.
   */
  check(publicationId: PublicationId, timestamp: RtpTimestamp, now: Millis): void {
    const newest = this.#newest
    if (newest?.publicationId !== publicationId) return
    if (rtpElapsed(this.#expected(newest, now), timestamp) > FUTURE_FRAME_SECONDS * VIDEO_CLOCK_RATE) throw new RelayFault('out_of_range', 'that frame is yet to come')
  }

  #expected({ timestamp, at }: { readonly timestamp: RtpTimestamp; readonly at: Millis }, now: Millis): RtpTimestamp {
    return rtpTimestamp(timestamp + ((now - at) * VIDEO_CLOCK_RATE) / 1000)
  }
}
