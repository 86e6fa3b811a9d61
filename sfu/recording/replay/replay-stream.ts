import { open } from 'node:fs/promises'
import { parseRtp } from '../../../relay/recordings/rtp-packet.ts'
import { rtpdumpRecords } from '../../../relay/recordings/rtpdump.ts'
import { LINK_RTP } from '../../links/link-ingest.ts'
import type { FileHandle } from 'node:fs/promises'
import type { LinkTrack } from '../../../relay/wire/signaling.ts'
import type { RenditionCodec } from '../../../relay/wire/pyramid.ts'
import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import type { DueFrame } from './replay-cursor.ts'

/** Fixed header, and one header extension. */
const HEADER_BYTES = 12 + 8
/** `playout-delay` in the one-byte form: minimum and maximum 0. @see RFC 8285 section 4.2 */
const PLAYOUT_DELAY = Buffer.from([0xbe, 0xde, 0, 1, (LINK_RTP.playoutDelayId << 4) | 2, 0, 0, 0])
/** Frames that lie one after the other are read together, up to so many bytes. */
const MAX_READ_BYTES = 4 * 1024 * 1024

/** Reads the packets of one rendition and gives them an RTP stream of their own. */
export class ReplayStream {
  readonly #path: string
  readonly #codec: RenditionCodec
  readonly #track: LinkTrack
  #file: Promise<FileHandle> | undefined
  #sequenceNumber = 0

  constructor(path: string, codec: RenditionCodec, track: LinkTrack) {
    this.#path = path
    this.#codec = codec
    this.#track = track
  }

  get flow(): number {
    return this.#track.flow
  }

  /** The packets of frames. @param timestampOf - Of each frame. */
  async packets(due: readonly DueFrame[], timestampOf: (due: DueFrame) => RtpTimestamp): Promise<Buffer[]> {
    const packets: Buffer[] = []
    for (let first = 0; first < due.length;) {
      let end = first + 1
      let bytes = due[first]?.frame.byteLength ?? 0
      for (; end < due.length && bytes < MAX_READ_BYTES; end++) {
        const [before, next] = [due[end - 1]?.frame, due[end]?.frame]
        if (before === undefined || next === undefined || next.offset !== before.offset + before.byteLength) break
        bytes += next.byteLength
      }
      const part = await this.#read(due[first]?.frame.offset ?? 0, bytes)
      let at = 0
      for (const each of due.slice(first, end)) {
        const timestamp = timestampOf(each)
        for (const { packet } of rtpdumpRecords(part.subarray(at, at + each.frame.byteLength))) packets.push(...this.#renew(packet, timestamp))
        at += each.frame.byteLength
      }
      first = end
    }
    return packets
  }

  /** Never rejects. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#file?.then(file => file.close())])
  }

  async #read(offset: number, byteLength: number): Promise<Buffer> {
    this.#file ??= open(this.#path, 'r')
    const { buffer, bytesRead } = await (await this.#file).read(Buffer.allocUnsafe(byteLength), 0, byteLength, offset)
    return buffer.subarray(0, bytesRead)
  }

  #renew(recorded: Buffer, timestamp: RtpTimestamp): Buffer[] {
    const rtp = parseRtp(recorded)
    if (rtp === undefined) return []
    const packet = Buffer.allocUnsafe(HEADER_BYTES + rtp.payload.length)
    packet[0] = 0x90
    packet[1] = (rtp.marker ? 0x80 : 0) | LINK_RTP[this.#codec]
    packet.writeUInt16BE(this.#sequenceNumber, 2)
    packet.writeUInt32BE(timestamp, 4)
    packet.writeUInt32BE(this.#track.ssrc, 8)
    PLAYOUT_DELAY.copy(packet, 12)
    rtp.payload.copy(packet, HEADER_BYTES)
    this.#sequenceNumber = (this.#sequenceNumber + 1) & 0xffff
    return [packet]
  }
}
