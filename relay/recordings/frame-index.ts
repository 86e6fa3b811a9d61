import { rtpElapsed } from '../wire/rtp-clock.ts'
import { rtpTimestamp, VIDEO_CLOCK_RATE } from '../wire/units.ts'
import { isKeyFrame } from './key-frame.ts'
import type { RenditionCodec } from '../wire/pyramid.ts'
import type { Millis, RtpTimestamp } from '../wire/units.ts'
import type { RtpPacket } from './rtp-packet.ts'

/** One whole frame in an rtpdump file that a decoder can use, given those before it back to its keyframe. */
export interface IndexedFrame {
  /** On the clock of the recording, not wrapped. */
  readonly ticks: number
  /** Of its first record in the file. */
  readonly offset: number
  /** Of all its records. */
  readonly byteLength: number
  readonly isKeyFrame: boolean
}

/** Size of one frame in an index file: ticks and offset as 64-bit floats, byte length, flags; big endian. */
export const INDEX_RECORD_BYTES = 24
const KEY_FLAG = 1
/** A frame further than this from when its packets came is not on the clock of the recording. */
const MAX_STRAY_TICKS = 60 * VIDEO_CLOCK_RATE
/** A frame of more packets than this is refused: browsers assemble no more than 2,048. */
const MAX_PACKETS_PER_FRAME = 4096
/** Payloads that are looked at to tell a keyframe. */
const HEAD_PAYLOADS = 4

/** Writes one frame of an index file. */
export function encodeIndexedFrame({ ticks, offset, byteLength, isKeyFrame: isKey }: IndexedFrame): Buffer {
  const record = Buffer.alloc(INDEX_RECORD_BYTES)
  record.writeDoubleBE(ticks, 0)
  record.writeDoubleBE(offset, 8)
  record.writeUInt32BE(byteLength, 16)
  record.writeUInt32BE(isKey ? KEY_FLAG : 0, 20)
  return record
}

/** Reads an index file, up to its last whole record. Ends before a frame that lies beyond `fileBytes` of the rtpdump file, or before the one ahead of it. */
export function decodeIndex(index: Buffer, fileBytes: number): IndexedFrame[] {
  const frames: IndexedFrame[] = []
  let end = 0
  for (let at = 0; at + INDEX_RECORD_BYTES <= index.length; at += INDEX_RECORD_BYTES) {
    const frame = {
      ticks: index.readDoubleBE(at),
      offset: index.readDoubleBE(at + 8),
      byteLength: index.readUInt32BE(at + 16),
      isKeyFrame: (index.readUInt32BE(at + 20) & KEY_FLAG) !== 0,
    }
    const isSound = Number.isSafeInteger(frame.ticks) && Number.isSafeInteger(frame.offset) && frame.offset >= end && frame.byteLength > 0
    end = frame.offset + frame.byteLength
    if (!isSound || end > fileBytes) break
    frames.push(frame)
  }
  return frames
}

interface Assembly {
  readonly timestamp: RtpTimestamp
  readonly offset: number
  readonly heads: Buffer[]
  byteLength: number
  packets: number
}

/**
 * Finds the frames in the packets of one rendition as they lie in its rtpdump file: whole ones that a
 * decoder can use. After a packet that is missing, nothing counts before the next keyframe. Does no I/O.
 */
export class FrameScanner {
  readonly #codec: RenditionCodec
  #nextSequenceNumber: number | undefined
  #assembly: Assembly | undefined
  #isOpen = false

  constructor(codec: RenditionCodec) {
    this.#codec = codec
  }

  /**
   * Takes the next packet.
   *
   * @param at - Where its record lies in the file, how long that is, and when the packet came.
   * @returns A frame that it completes.
   */
  push({ sequenceNumber, timestamp, marker, payload }: RtpPacket, at: { readonly offset: number; readonly byteLength: number; readonly time: Millis }): IndexedFrame | undefined {
    const isNext = this.#nextSequenceNumber === undefined || this.#nextSequenceNumber === sequenceNumber
    this.#nextSequenceNumber = (sequenceNumber + 1) & 0xffff
    if (!isNext || (this.#assembly !== undefined && this.#assembly.timestamp !== timestamp)) {
      this.#isOpen &&= isNext && this.#assembly === undefined
      this.#assembly = undefined
    }
    const assembly = (this.#assembly ??= { timestamp, offset: at.offset, heads: [], byteLength: 0, packets: 0 })
    assembly.byteLength += at.byteLength
    assembly.packets++
    if (assembly.heads.length < HEAD_PAYLOADS) assembly.heads.push(payload)
    return marker ? this.#complete(assembly, at.time) : undefined
  }

  #complete({ timestamp, offset, byteLength, heads, packets }: Assembly, time: Millis): IndexedFrame | undefined {
    this.#assembly = undefined
    const expected = Math.round((time * VIDEO_CLOCK_RATE) / 1000)
    const stray = rtpElapsed(rtpTimestamp(expected), timestamp)
    const ticks = expected + stray
    const isUsable = packets <= MAX_PACKETS_PER_FRAME && ticks >= 0 && Math.abs(stray) <= MAX_STRAY_TICKS
    const isKey = isKeyFrame(this.#codec, heads)
    this.#isOpen = isUsable && (this.#isOpen || isKey)
    return this.#isOpen ? { ticks, offset, byteLength, isKeyFrame: isKey } : undefined
  }
}

/**
 * The frames of a rendition in the order of their time. A rendition that begins anew repeats what
 * followed its last keyframe: what is repeated counts, not what was there before.
 */
export function framesInTime(frames: readonly IndexedFrame[]): readonly IndexedFrame[] {
  const inTime: IndexedFrame[] = []
  for (const frame of frames) {
    while ((inTime.at(-1)?.ticks ?? -1) >= frame.ticks) inTime.pop()
    inTime.push(frame)
  }
  return inTime
}
