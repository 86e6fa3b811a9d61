import { rtpTimestamp } from '../wire/units.ts'
import type { RtpTimestamp } from '../wire/units.ts'

/** Size of an RTP header without contributing sources or extensions, in bytes. @see RFC 3550 section 5.1 */
export const RTP_HEADER_BYTES = 12

/** One RTP packet, its header read. */
export interface RtpPacket {
  readonly payloadType: number
  readonly marker: boolean
  readonly sequenceNumber: number
  readonly timestamp: RtpTimestamp
  readonly ssrc: number
  /** A view into the datagram it was read from. */
  readonly payload: Buffer
}

/** Whether a datagram on a multiplexed port is RTCP. @see RFC 5761 section 4 */
export function isRtcp(datagram: Buffer): boolean {
  const type = datagram[1] ?? 0
  return datagram.length >= 8 && datagram.readUInt8(0) >> 6 === 2 && type >= 192 && type <= 223
}

/**
 * Reads one RTP packet.
 *
 * @returns undefined when the bytes are not RTP version 2, or lengths inside them do not add up.
 * @see RFC 3550 section 5.1 (header), 5.3.1 (extension)
 */
export function parseRtp(datagram: Buffer): RtpPacket | undefined {
  if (datagram.length < RTP_HEADER_BYTES) return undefined
  const first = datagram.readUInt8(0)
  const second = datagram.readUInt8(1)
  if (first >> 6 !== 2) return undefined
  let start = RTP_HEADER_BYTES + 4 * (first & 0x0f)
  if ((first & 0x10) !== 0) {
    if (datagram.length < start + 4) return undefined
    start += 4 + 4 * datagram.readUInt16BE(start + 2)
  }
  let end = datagram.length
  if ((first & 0x20) !== 0) {
    const padding = datagram.readUInt8(end - 1)
    if (padding === 0) return undefined
    end -= padding
  }
  if (start >= end) return undefined
  return {
    payloadType: second & 0x7f,
    marker: (second & 0x80) !== 0,
    sequenceNumber: datagram.readUInt16BE(2),
    timestamp: rtpTimestamp(datagram.readUInt32BE(4)),
    ssrc: datagram.readUInt32BE(8),
    payload: datagram.subarray(start, end),
  }
}

/** Writes one RTP packet without extensions. @see RFC 3550 section 5.1 */
export function serializeRtp(packet: RtpPacket): Buffer {
  const header = Buffer.alloc(RTP_HEADER_BYTES)
  header.writeUInt8(0x80, 0)
  header.writeUInt8((packet.marker ? 0x80 : 0) | packet.payloadType, 1)
  header.writeUInt16BE(packet.sequenceNumber & 0xffff, 2)
  header.writeUInt32BE(packet.timestamp, 4)
  header.writeUInt32BE(packet.ssrc >>> 0, 8)
  return Buffer.concat([header, packet.payload])
}
