/** One report block of a receiver report. @see RFC 3550 section 6.4.1 */
export interface ReportBlock {
  readonly ssrc: number
  /** In 256ths. */
  readonly fractionLost: number
  readonly cumulativeLost: number
  readonly highestSequenceNumber: number
  readonly jitterTicks: number
  /** Middle 32 bits of the NTP timestamp of the last sender report; 0 when there was none. */
  readonly lastSenderReport: number
  /** In units of 1/65,536 second. */
  readonly delaySinceLastSenderReport: number
}

/** What a receiver wants to know of a sender report. */
export interface SenderReport {
  readonly ssrc: number
  /** Middle 32 bits of its NTP timestamp. */
  readonly middleNtp: number
}

const SENDER_REPORT = 200
const RECEIVER_REPORT = 201
const TRANSPORT_FEEDBACK = 205
const GENERIC_NACK = 1
/** The count field of a header has five bits. */
const MAX_BLOCKS = 31

function header(count: number, type: number, length: number): Buffer {
  const packet = Buffer.alloc(length)
  packet.writeUInt8(0x80 | count, 0)
  packet.writeUInt8(type, 1)
  packet.writeUInt16BE(length / 4 - 1, 2)
  return packet
}

/** Writes receiver reports, as many packets as the blocks need. @see RFC 3550 section 6.4.2 */
export function writeReceiverReports(senderSsrc: number, blocks: readonly ReportBlock[]): Buffer[] {
  const packets: Buffer[] = []
  for (let start = 0; start < blocks.length; start += MAX_BLOCKS) {
    const part = blocks.slice(start, start + MAX_BLOCKS)
    const packet = header(part.length, RECEIVER_REPORT, 8 + 24 * part.length)
    packet.writeUInt32BE(senderSsrc, 4)
    for (const [index, block] of part.entries()) {
      const at = 8 + 24 * index
      packet.writeUInt32BE(block.ssrc, at)
      packet.writeUInt8(Math.min(255, block.fractionLost), at + 4)
      packet.writeIntBE(Math.max(-0x80_0000, Math.min(0x7f_ffff, block.cumulativeLost)), at + 5, 3)
      packet.writeUInt32BE(block.highestSequenceNumber, at + 8)
      packet.writeUInt32BE(block.jitterTicks, at + 12)
      packet.writeUInt32BE(block.lastSenderReport, at + 16)
      packet.writeUInt32BE(block.delaySinceLastSenderReport >>> 0, at + 20)
    }
    packets.push(packet)
  }
  return packets
}

/** Writes one generic NACK. @param sequenceNumbers - In rising order, wrap-around aside. @see RFC 4585 section 6.2.1 */
export function writeNack(senderSsrc: number, mediaSsrc: number, sequenceNumbers: readonly number[]): Buffer {
  const entries: { readonly first: number; mask: number }[] = []
  for (const sequenceNumber of sequenceNumbers) {
    const last = entries.at(-1)
    const distance = last === undefined ? 0 : (sequenceNumber - last.first) & 0xffff
    if (last !== undefined && distance >= 1 && distance <= 16) last.mask |= 1 << (distance - 1)
    else entries.push({ first: sequenceNumber, mask: 0 })
  }
  const packet = header(GENERIC_NACK, TRANSPORT_FEEDBACK, 12 + 4 * entries.length)
  packet.writeUInt32BE(senderSsrc, 4)
  packet.writeUInt32BE(mediaSsrc, 8)
  for (const [index, { first, mask }] of entries.entries()) {
    packet.writeUInt16BE(first, 12 + 4 * index)
    packet.writeUInt16BE(mask, 14 + 4 * index)
  }
  return packet
}

/** The sender reports of a compound packet; what cannot be read is skipped. */
export function readSenderReports(compound: Buffer): SenderReport[] {
  const reports: SenderReport[] = []
  for (let at = 0; at + 8 <= compound.length; at += 4 * (compound.readUInt16BE(at + 2) + 1)) {
    if (compound.readUInt8(at + 1) !== SENDER_REPORT || at + 16 > compound.length) continue
    reports.push({ ssrc: compound.readUInt32BE(at + 4), middleNtp: compound.readUInt32BE(at + 10) })
  }
  return reports
}
