import { RelayFault } from '../../relay/wire/fault.ts'
import type { Millis } from '../../relay/wire/units.ts'

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

/**
 * The RTP packets of an rtpdump file, as views into it.
 *
 * @throws {RelayFault} `bad_recording` when it is not one, or is cut short.
 */
export function* readRtpdump(file: Buffer): Generator<Buffer> {
  const firstLine = file.indexOf(0x0a)
  if (firstLine === -1 || firstLine > 128 || !file.subarray(0, 12).equals(MAGIC.subarray(0, 12))) {
    throw new RelayFault('bad_recording', 'not an rtpdump file')
  }
  let offset = firstLine + 1 + FILE_HEADER_BYTES
  while (offset < file.length) {
    if (offset + RECORD_HEADER_BYTES > file.length) throw new RelayFault('bad_recording', 'an rtpdump file is cut short')
    const recordBytes = file.readUInt16BE(offset)
    const packetBytes = file.readUInt16BE(offset + 2)
    if (recordBytes < RECORD_HEADER_BYTES || packetBytes !== recordBytes - RECORD_HEADER_BYTES || offset + recordBytes > file.length) {
      throw new RelayFault('bad_recording', 'an rtpdump file is cut short or damaged')
    }
    yield file.subarray(offset + RECORD_HEADER_BYTES, offset + recordBytes)
    offset += recordBytes
  }
}
