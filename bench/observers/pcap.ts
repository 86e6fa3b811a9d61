/**
 * Reads what `tcpdump -w` writes.
 *
 * @see draft-ietf-opsawg-pcap, the classic format
 */
import { RelayFault } from '../../relay/wire/fault.ts'

const FILE_HEADER_BYTES = 24
const RECORD_HEADER_BYTES = 16
const LINKTYPE_ETHERNET = 1
const ETHERNET_BYTES = 14
const ETHERTYPE_IPV4 = 0x0800
const UDP_HEADER_BYTES = 8

/** Protocol numbers of IPv4. @see RFC 790 and its successors at IANA */
export const IP_PROTOCOL = { icmp: 1, tcp: 6, udp: 17 } as const

/** One captured IPv4 packet. The same object is given for every packet: copy what is to be kept. */
export interface CapturedPacket {
  /** Milliseconds since the epoch. */
  at: number
  /** Of the whole packet, from the IP header on, however little of it was captured. */
  bytes: number
  protocol: number
  /** As dotted decimals would be read: big-endian. */
  source: number
  destination: number
  /** Of UDP and TCP; 0 for others and for all but the first fragment. */
  sourcePort: number
  destinationPort: number
  /** Captured bytes after the UDP header; empty for other protocols. */
  payload: Buffer
}

interface Format {
  readonly isLittle: boolean
  /** Of the second part of a time stamp, in a millisecond. */
  readonly perMilli: number
}

const EMPTY = Buffer.alloc(0)

function readFormat(file: Buffer): Format {
  if (file.length < FILE_HEADER_BYTES) throw new RelayFault('bad_message', 'no pcap file: too short')
  for (const isLittle of [true, false]) {
    const magic = isLittle ? file.readUInt32LE(0) : file.readUInt32BE(0)
    const perMilli = magic === 0xa1b2_c3d4 ? 1e3 : magic === 0xa1b2_3c4d ? 1e6 : undefined
    if (perMilli === undefined) continue
    // The upper bits say how many bytes of checksum a packet ends with.
    const linkType = (isLittle ? file.readUInt32LE(20) : file.readUInt32BE(20)) & 0xffff
    if (linkType !== LINKTYPE_ETHERNET) throw new RelayFault('bad_message', `packets of link type ${linkType} cannot be read, only Ethernet`)
    return { isLittle, perMilli }
  }
  throw new RelayFault('bad_message', 'no pcap file: unknown magic')
}

/**
 * Calls `visit` for every IPv4 packet, in the order of the file. A last record that is cut short is left out, and so
 * is whatever is not IPv4.
 *
 * @throws {RelayFault} `bad_message` for what is no pcap file of Ethernet.
 */
export function forEachPacket(file: Buffer, visit: (packet: CapturedPacket) => void): void {
  const { isLittle, perMilli } = readFormat(file)
  const word = (at: number): number => (isLittle ? file.readUInt32LE(at) : file.readUInt32BE(at))
  const packet: CapturedPacket = { at: 0, bytes: 0, protocol: 0, source: 0, destination: 0, sourcePort: 0, destinationPort: 0, payload: EMPTY }
  for (let at = FILE_HEADER_BYTES; at + RECORD_HEADER_BYTES <= file.length; ) {
    const captured = word(at + 8)
    const start = at + RECORD_HEADER_BYTES
    if (start + captured > file.length) return
    packet.at = word(at) * 1000 + word(at + 4) / perMilli
    if (readPacket(file.subarray(start, start + captured), packet)) visit(packet)
    at = start + captured
  }
}

/** @returns Whether it is IPv4. */
function readPacket(frame: Buffer, packet: CapturedPacket): boolean {
  if (frame.length < ETHERNET_BYTES + 20 || frame.readUInt16BE(12) !== ETHERTYPE_IPV4) return false
  const ip = frame.subarray(ETHERNET_BYTES)
  const headerBytes = (ip.readUInt8(0) & 0x0f) * 4
  packet.bytes = ip.readUInt16BE(2)
  packet.protocol = ip.readUInt8(9)
  packet.source = ip.readUInt32BE(12)
  packet.destination = ip.readUInt32BE(16)
  const isFirst = (ip.readUInt16BE(6) & 0x1fff) === 0
  const hasPorts = isFirst && (packet.protocol === IP_PROTOCOL.udp || packet.protocol === IP_PROTOCOL.tcp) && ip.length >= headerBytes + 4
  packet.sourcePort = hasPorts ? ip.readUInt16BE(headerBytes) : 0
  packet.destinationPort = hasPorts ? ip.readUInt16BE(headerBytes + 2) : 0
  packet.payload = hasPorts && packet.protocol === IP_PROTOCOL.udp ? ip.subarray(headerBytes + UDP_HEADER_BYTES) : EMPTY
  return true
}
