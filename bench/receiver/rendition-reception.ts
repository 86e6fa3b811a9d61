import { parseRtp } from '../../relay/recordings/rtp-packet.ts'
import { millis } from '../../relay/wire/units.ts'
import { LossRepair } from './loss-repair.ts'
import { ReceptionStatistics } from './reception-statistics.ts'
import { readSenderReports, writeNack } from './rtcp.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { JudgedPacket } from './frame-judge.ts'
import type { ConsumerStreams } from './offer.ts'
import type { ReportBlock } from './rtcp.ts'

/** SSRC of a receiver that sends no media. */
export const RECEIVER_SSRC = 1

/** A retransmission begins with the sequence number of the packet it repeats. @see RFC 4588 section 4 */
const RTX_HEADER_BYTES = 2

/** Loopback and links of up to 100 ms: asked for soon, repeated sparingly, dropped when the frame is lost anyway. */
const REPAIR = { reorderingTolerance: millis(10), retryAfter: millis(60), giveUpAfter: millis(500) }

/** Everything that arrives for one rendition. Does no I/O and reads no clock. */
export class RenditionReception {
  readonly id: RenditionId
  readonly streams: ConsumerStreams
  readonly #repair = new LossRepair(REPAIR)
  readonly #statistics: ReceptionStatistics
  #packets = 0
  #rtpBytes = 0
  #rtxBytes = 0

  constructor(id: RenditionId, streams: ConsumerStreams) {
    this.id = id
    this.streams = streams
    this.#statistics = new ReceptionStatistics(streams.ssrc)
  }

  /** Takes one RTP packet. @returns The packet as the judge wants it; undefined when it carries nothing to judge. */
  takeRtp(datagram: Buffer, now: Millis): JudgedPacket | undefined {
    const packet = parseRtp(datagram)
    if (packet === undefined) return undefined
    const { ssrc, timestamp, marker, payload } = packet
    if (ssrc === this.streams.rtxSsrc) {
      this.#rtxBytes += datagram.length
      if (payload.length <= RTX_HEADER_BYTES) return undefined
      const sequenceNumber = payload.readUInt16BE(0)
      this.#repair.received(sequenceNumber, now)
      return { sequenceNumber, timestamp, marker }
    }
    if (ssrc !== this.streams.ssrc) return undefined
    this.#packets++
    this.#rtpBytes += datagram.length
    this.#repair.received(packet.sequenceNumber, now)
    this.#statistics.received(packet.sequenceNumber, timestamp, now)
    return packet
  }

  /** Takes one RTCP packet. */
  takeRtcp(compound: Buffer, now: Millis): void {
    for (const { ssrc, middleNtp } of readSenderReports(compound)) {
      if (ssrc === this.streams.ssrc) this.#statistics.senderReported(middleNtp, now)
    }
  }

  /** The NACK that is due now, if any. */
  nack(now: Millis): Buffer | undefined {
    const due = this.#repair.due(now)
    return due.length === 0 ? undefined : writeNack(RECEIVER_SSRC, this.streams.ssrc, due)
  }

  /** The report block for now; undefined before the first packet. */
  report(now: Millis): ReportBlock | undefined {
    return this.#statistics.report(now)
  }

  /** What came since the last call. */
  takeCounts() {
    const counts = { packets: this.#packets, rtpBytes: this.#rtpBytes, rtxBytes: this.#rtxBytes, ...this.#repair.takeCounts() }
    this.#packets = this.#rtpBytes = this.#rtxBytes = 0
    return counts
  }
}
