import { VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import { SequenceUnwrapper } from './sequence-unwrapper.ts'
import type { Millis, RtpTimestamp } from '../../relay/wire/units.ts'
import type { ReportBlock } from './rtcp.ts'

/** What a receiver reports on one RTP stream. Does no I/O and reads no clock. @see RFC 3550 section 6.4.1 */
export class ReceptionStatistics {
  readonly ssrc: number
  readonly #unwrapper = new SequenceUnwrapper()
  #first: number | undefined
  #received = 0
  #expectedBefore = 0
  #receivedBefore = 0
  #jitterTicks = 0
  #transitTicks: number | undefined
  #senderReport: { readonly middleNtp: number; readonly at: Millis } | undefined

  constructor(ssrc: number) {
    this.ssrc = ssrc
  }

  /** Takes one packet of the stream itself; retransmissions on their own SSRC do not count. */
  received(sequenceNumber: number, timestamp: RtpTimestamp, now: Millis): void {
    const extended = this.#unwrapper.unwrap(sequenceNumber)
    this.#first ??= extended
    this.#received++
    const transit = ((now * VIDEO_CLOCK_RATE) / 1000 - timestamp) | 0
    if (this.#transitTicks !== undefined) {
      // Appendix A.8: differences wrap with the clock.
      const difference = Math.abs((transit - this.#transitTicks) | 0)
      this.#jitterTicks += (difference - this.#jitterTicks) / 16
    }
    this.#transitTicks = transit
  }

  /** Takes note of a sender report on this stream. */
  senderReported(middleNtp: number, now: Millis): void {
    this.#senderReport = { middleNtp, at: now }
  }

  /** The report block for now; undefined before the first packet. Starts a new interval. */
  report(now: Millis): ReportBlock | undefined {
    const highest = this.#unwrapper.highest
    if (highest === undefined || this.#first === undefined) return undefined
    const expected = highest - this.#first + 1
    const expectedInterval = expected - this.#expectedBefore
    const lostInterval = expectedInterval - (this.#received - this.#receivedBefore)
    this.#expectedBefore = expected
    this.#receivedBefore = this.#received
    const { middleNtp, at } = this.#senderReport ?? { middleNtp: 0, at: now }
    return {
      ssrc: this.ssrc,
      fractionLost: expectedInterval === 0 || lostInterval <= 0 ? 0 : Math.floor((lostInterval * 256) / expectedInterval),
      cumulativeLost: expected - this.#received,
      highestSequenceNumber: highest >>> 0,
      jitterTicks: Math.floor(this.#jitterTicks),
      lastSenderReport: middleNtp,
      delaySinceLastSenderReport: Math.round(((now - at) * 0x1_0000) / 1000),
    }
  }
}
