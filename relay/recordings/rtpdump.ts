import { RelayFault } from '../wire/fault.ts'
import { millis } from '../wire/units.ts'
import type { Millis } from '../wire/units.ts'

/** Every rtpdump file begins with this line, which names an address that nobody uses. */
const MAGIC = Buffer.from('#!rtpplay1.0 127.0.0.1/5004\n', 'latin1')
const FILE_HEADER_BYTES = 16
const RECORD_HEADER_BYTES = 8

/**
 * The beginning of an rtpdump file: the format of RTP Tools, which Wireshark, GStreamer and others read.
 *
 * @see https://github.com/irtlab/rtptools, rtpdump(1), "dump format"
 */
export function rtpdumpHeader(): Buffer {
  // Start time, source address, port and padding say where packets were captured: nowhere.
  return Buffer.concat([MAGIC, Buffer.alloc(FILE_HEADER_BYTES)])
}

/** One packet of an rtpdump file, `offset` after the beginning of the recording. */
export function rtpdumpRecord(packet: Buffer, offset: Millis): Buffer {
  const header = Buffer.alloc(RECORD_HEADER_BYTES)
  header.writeUInt16BE(packet.length + RECORD_HEADER_BYTES, 0)
  header.writeUInt16BE(packet.length, 2)
  header.writeUInt32BE(Math.round(offset) >>> 0, 4)
  return Buffer.concat([header, packet])
}

/** One record of an rtpdump file. */
export interface RtpdumpRecord {
  /** A view into the file. */
  readonly packet: Buffer
  /** Since the beginning of the recording. */
  readonly offset: Millis
  /** Of the whole record, its header included. */
  readonly byteLength: number
}

/** Where the records of an rtpdump file begin. @throws {RelayFault} `bad_recording` when it is not one. @param head - The first 128 bytes or more. */
export function rtpdumpStart(head: Buffer): number {
  const firstLine = head.indexOf(0x0a)
  if (firstLine === -1 || firstLine > 128 || !head.subarray(0, 12).equals(MAGIC.subarray(0, 12))) {
    throw new RelayFault('bad_recording', 'not an rtpdump file')
  }
  return firstLine + 1 + FILE_HEADER_BYTES
}

/**
 * The records in a part of an rtpdump file that begins with one. Ends before a record that is not whole.
 *
 * @returns Bytes that whole records took.
 * @throws {RelayFault} `bad_recording` for a record whose lengths do not add up.
 */
export function* rtpdumpRecords(part: Buffer): Generator<RtpdumpRecord, number> {
  let at = 0
  while (at + RECORD_HEADER_BYTES <= part.length) {
    const byteLength = part.readUInt16BE(at)
    if (byteLength < RECORD_HEADER_BYTES || part.readUInt16BE(at + 2) !== byteLength - RECORD_HEADER_BYTES) {
      throw new RelayFault('bad_recording', 'an rtpdump file is damaged')
    }
    if (at + byteLength > part.length) return at
    yield { packet: part.subarray(at + RECORD_HEADER_BYTES, at + byteLength), offset: millis(part.readUInt32BE(at + 4)), byteLength }
    at += byteLength
  }
  return at
}

/**
 * The RTP packets of an rtpdump file, as views into it.
 *
 * @throws {RelayFault} `bad_recording` when it is not one, or is cut short.
 */
export function* readRtpdump(file: Buffer): Generator<Buffer> {
  const records = rtpdumpRecords(file.subarray(rtpdumpStart(file)))
  let at = file.length - rtpdumpStart(file)
  for (;;) {
    const { done, value } = records.next()
    if (done === true) {
      at -= value
      break
    }
    yield value.packet
  }
  if (at > 0) throw new RelayFault('bad_recording', 'an rtpdump file is cut short')
}
