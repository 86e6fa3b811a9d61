/**
 * The outside of every datagram of a link, and the numbers that both ends share. `docs/LINKS.md` is the normative
 * text. It lives here and not in `relay/wire` because no browser speaks UDP.
 */

/** First byte of every datagram: none of STUN, DTLS, TURN channels, RTP or RTCP begin with it. @see RFC 7983 section 7 */
export const MAGIC = 0x6b

/** Magic, key epoch, path, reserved, association, packet number. */
export const HEADER_BYTES = 14
/** Tag of AES-128-GCM. @see RFC 5116 section 5.1 */
export const TAG_BYTES = 16
/** IPv4 and UDP. IPv6 has 20 more. */
export const IP_UDP_BYTES = 28
/** What every datagram has around its frames, from the IP header on, the time of sending included. */
export const DATAGRAM_OVERHEAD = IP_UDP_BYTES + HEADER_BYTES + 4 + TAG_BYTES
/** Longer ones are refused unseen. */
export const MAX_DATAGRAM_BYTES = 9000
const MIN_DATAGRAM_BYTES = HEADER_BYTES + 4 + TAG_BYTES
const TWO_32 = 0x1_0000_0000

/** What can be read of a datagram before it is opened. */
export interface DatagramHeader {
  /** Of the sealing key, modulo 256. */
  readonly epoch: number
  /** Index of the path in the contract. */
  readonly path: number
  /** Which link of this port. */
  readonly association: number
  /** 48 bits, grows by one with every datagram of a path and direction. */
  readonly packetNumber: number
}

/** Why bytes are no datagram of ours. */
export type HeaderRefusal = 'malformed' | 'oversize'

/** Reads the header. Constant work, for junk as well. */
export function readHeader(datagram: Buffer): DatagramHeader | HeaderRefusal {
  if (datagram.length > MAX_DATAGRAM_BYTES) return 'oversize'
  if (datagram.length < MIN_DATAGRAM_BYTES || datagram[0] !== MAGIC || datagram[3] !== 0) return 'malformed'
  return {
    epoch: datagram.readUInt8(1),
    path: datagram.readUInt8(2),
    association: datagram.readUInt32BE(4),
    packetNumber: datagram.readUIntBE(8, 6),
  }
}

/** Writes a header of {@link HEADER_BYTES}. */
export function writeHeader({ epoch, path, association, packetNumber }: DatagramHeader): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES)
  header[0] = MAGIC
  header[1] = epoch & 0xff
  header[2] = path
  header[3] = 0
  header.writeUInt32BE(association, 4)
  header.writeUIntBE(packetNumber, 8, 6)
  return header
}

/** The number nearest to `reference` that is `value` modulo 2^32. */
export function unwrap32(value: number, reference: number): number {
  const distance = (value - (reference % TWO_32) + TWO_32) % TWO_32
  return distance < TWO_32 / 2 ? reference + distance : reference + distance - TWO_32
}

/** Modulo 2^32, also of negative and fractional numbers. */
export const wrap32 = (value: number): number => ((Math.floor(value) % TWO_32) + TWO_32) % TWO_32
