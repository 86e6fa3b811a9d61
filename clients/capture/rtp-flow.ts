import type { RenditionCodec } from '../../relay/wire/pyramid.ts'
import type { PacedPacket } from './pacer.ts'

/** One rendition's RTP stream on a link. */
export interface RtpFlow {
  readonly flow: number
  readonly codec: RenditionCodec
  readonly ssrc: number
  /** Of the next packet, modulo 2^16. */
  sequenceNumber: number
}

/** Payload types on a link. `docs/LINKS.md` has them. */
const PAYLOAD_TYPES = { H264: 96, VP9: 98 } as const satisfies Record<RenditionCodec, number>
/** Fixed header, and one header extension. */
const HEADER_BYTES = 12 + 8
/** `playout-delay` with id 1 in the one-byte form: minimum and maximum 0, so that a viewer decodes each frame at once. @see RFC 8285 section 4.2 */
const PLAYOUT_DELAY = Buffer.from([0xbe, 0xde, 0, 1, 0x12, 0, 0, 0])

/** Writes one RTP packet of a flow, and counts it. @see RFC 3550 section 5.1 */
export function serializeRtpFlow(flow: RtpFlow, { timestamp, marker, payload }: PacedPacket): Buffer {
  const packet = Buffer.allocUnsafe(HEADER_BYTES + payload.length)
  packet[0] = 0x90
  packet[1] = (marker ? 0x80 : 0) | PAYLOAD_TYPES[flow.codec]
  packet.writeUInt16BE(flow.sequenceNumber, 2)
  packet.writeUInt32BE(timestamp, 4)
  packet.writeUInt32BE(flow.ssrc, 8)
  PLAYOUT_DELAY.copy(packet, 12)
  payload.copy(packet, HEADER_BYTES)
  flow.sequenceNumber = (flow.sequenceNumber + 1) & 0xffff
  return packet
}
