/**
 * What is inside a datagram of a link: the time of sending and frames, one after the other. `docs/LINKS.md` is the
 * normative text.
 *
 * Everything here was authenticated, but not necessarily written by a friend: a reader returns undefined for what
 * does not add up, and nothing is believed that can be checked.
 */
import { TRAFFIC_CLASSES } from '../../wire/link.ts'
import type { TrafficClass } from '../../wire/link.ts'

/** First byte of a frame. */
export const FRAME = {
  padding: 0,
  data: 1,
  parity: 2,
  feedback: 3,
  request: 4,
  probe: 5,
  answer: 6,
  tail: 7,
  pathReport: 8,
  classReport: 9,
  close: 10,
} as const

/** Bits of {@link DataHeader.flags}. */
export const DATA_FLAG = {
  /** Sent before under the same sequence number. */
  again: 1,
  /** Others of its class travel on other paths: only when all paths are past it, it is missing. */
  spread: 2,
} as const

/** Bits in the header of a `live` packet, which is a part of one that does not fit the path. */
export const PART_FLAG = {
  /** The next packet of its flow goes on where this one ends. */
  continues: 1,
  /** It goes on where the one before it in its flow ends. */
  continuation: 2,
} as const

/** Bytes of a data frame before its body: type, class, flags, sequence, length. */
export const DATA_HEADER_BYTES = 9
/** Bytes in front of a `live` payload: flow, its place in that, and bits of {@link PART_FLAG}. */
export const LIVE_HEADER_BYTES = 5
/** Bytes in front of a message fragment: message, offset, total length. */
export const MESSAGE_HEADER_BYTES = 12
/** Bytes of a parity frame before its symbol. */
export const PARITY_HEADER_BYTES = 11
/** What a parity frame may be longer by than the longest data frame it covers; data leaves so much room. */
export const PARITY_ROOM = PARITY_HEADER_BYTES + 2 - DATA_HEADER_BYTES

/** Index of a class on the wire. */
export const classIndex = (id: TrafficClass): number => TRAFFIC_CLASSES.indexOf(id)

/** Writes a data frame's header. @returns Where its body goes. */
export function writeDataHeader(target: Buffer, at: number, classId: number, flags: number, sequence: number, length: number): number {
  target[at] = FRAME.data
  target[at + 1] = classId
  target[at + 2] = flags
  target.writeUInt32BE(sequence % 0x1_0000_0000, at + 3)
  target.writeUInt16BE(length, at + 7)
  return at + DATA_HEADER_BYTES
}

/** Parity over consecutive packets of a class. @see RFC 6865 */
export interface ParityFrame {
  readonly classId: number
  readonly firstSequence: number
  readonly k: number
  readonly m: number
  readonly index: number
  readonly symbol: Uint8Array
}

/** Writes a parity frame. @returns Its end. */
export function writeParity(target: Buffer, at: number, { classId, firstSequence, k, m, index, symbol }: ParityFrame): number {
  target[at] = FRAME.parity
  target[at + 1] = classId
  target.writeUInt32BE(firstSequence % 0x1_0000_0000, at + 2)
  target[at + 6] = k
  target[at + 7] = m
  target[at + 8] = index
  target.writeUInt16BE(symbol.length, at + 9)
  target.set(symbol, at + PARITY_HEADER_BYTES)
  return at + PARITY_HEADER_BYTES + symbol.length
}

/** Reads a parity frame. `firstSequence` is modulo 2^32. */
export function readParity(source: Buffer, at: number): { readonly frame: ParityFrame; readonly end: number } | undefined {
  if (at + PARITY_HEADER_BYTES > source.length) return undefined
  const end = at + PARITY_HEADER_BYTES + source.readUInt16BE(at + 9)
  if (end > source.length) return undefined
  const [classId = 255, k = 0, m = 0, index = 0] = [source[at + 1], source[at + 6], source[at + 7], source[at + 8]]
  if (classId >= TRAFFIC_CLASSES.length) return undefined
  return { frame: { classId, firstSequence: source.readUInt32BE(at + 2), k, m, index, symbol: source.subarray(at + PARITY_HEADER_BYTES, end) }, end }
}

/** Arrivals are told to so many milliseconds. */
export const ARRIVAL_STEP = 0.064
/** An arrival up to this many steps after that of the largest number can be told. */
const ARRIVAL_BIAS = 0x2000
const FEEDBACK_HEADER_BYTES = 18
/** Packets that one feedback frame tells of at most. */
export const MAX_FEEDBACK_PACKETS = 500

/** What the far end received on one path, in the spirit of RFC 8888 section 3.1. */
export interface FeedbackFrame {
  readonly path: number
  /** Largest packet number that arrived. */
  readonly largest: number
  /** When it did, on the reporter's clock, in microseconds modulo 2^32. */
  readonly largestArrivedAt: number
  /** From its arrival until this frame was written, in microseconds. */
  readonly hold: number
  /** From {@link largest} downwards: 0 for a packet that has not arrived, else its place in time. @see arrivalOf */
  readonly arrivals: Uint16Array
}

/** The code of an arrival that was `earlier` milliseconds before that of the largest packet number. */
export const arrivalCode = (earlier: number): number => Math.min(0xffff, Math.max(1, Math.round(earlier / ARRIVAL_STEP) + ARRIVAL_BIAS))

/** Milliseconds before the arrival of the largest packet number. */
export const arrivalOf = (code: number): number => (code - ARRIVAL_BIAS) * ARRIVAL_STEP

/** Length of a feedback frame that tells of `count` packets, in bytes. */
export const feedbackLength = (count: number): number => FEEDBACK_HEADER_BYTES + 2 * count

/** Writes a feedback frame. @returns Its end. */
export function writeFeedback(target: Buffer, at: number, { path, largest, largestArrivedAt, hold, arrivals }: FeedbackFrame): number {
  target[at] = FRAME.feedback
  target[at + 1] = path
  target.writeUIntBE(largest, at + 2, 6)
  target.writeUInt32BE(largestArrivedAt, at + 8)
  target.writeUInt32BE(Math.min(0xffff_ffff, hold), at + 12)
  target.writeUInt16BE(arrivals.length, at + 16)
  let end = at + FEEDBACK_HEADER_BYTES
  for (const code of arrivals) {
    target[end] = code >> 8
    target[end + 1] = code & 0xff
    end += 2
  }
  return end
}

/** Reads a feedback frame. */
export function readFeedback(source: Buffer, at: number): { readonly frame: FeedbackFrame; readonly end: number } | undefined {
  if (at + FEEDBACK_HEADER_BYTES > source.length) return undefined
  const count = source.readUInt16BE(at + 16)
  const end = at + feedbackLength(count)
  if (count === 0 || count > MAX_FEEDBACK_PACKETS || end > source.length) return undefined
  const arrivals = new Uint16Array(count)
  for (let index = 0; index < count; index++) arrivals[index] = source.readUInt16BE(at + FEEDBACK_HEADER_BYTES + 2 * index)
  const frame = { path: source.readUInt8(at + 1), largest: source.readUIntBE(at + 2, 6), largestArrivedAt: source.readUInt32BE(at + 8), hold: source.readUInt32BE(at + 12), arrivals }
  return { frame, end }
}

/** Consecutive packets that are asked for again, for the `round`-th time. */
export interface RequestRange {
  readonly first: number
  readonly count: number
  readonly round: number
}

/** What the far end has of a class, and what it asks for again. @see RFC 4585 section 6.2.1 for the idea */
export interface RequestFrame {
  readonly classId: number
  /** Everything up to here arrived, or is not wanted any more. */
  readonly cumulative: number
  /** The highest that it knows of. */
  readonly highest: number
  readonly ranges: readonly RequestRange[]
}

const REQUEST_HEADER_BYTES = 11
const REQUEST_RANGE_BYTES = 6
/** Ranges that one request frame has at most. */
export const MAX_REQUEST_RANGES = 180

/** Writes a request frame. @returns Its end. */
export function writeRequest(target: Buffer, at: number, { classId, cumulative, highest, ranges }: RequestFrame): number {
  target[at] = FRAME.request
  target[at + 1] = classId
  target.writeUInt32BE(cumulative % 0x1_0000_0000, at + 2)
  target.writeUInt32BE(highest % 0x1_0000_0000, at + 6)
  target[at + 10] = ranges.length
  let end = at + REQUEST_HEADER_BYTES
  for (const { first, count, round } of ranges) {
    target.writeUInt32BE(first % 0x1_0000_0000, end)
    target[end + 4] = count
    target[end + 5] = Math.min(round, 255)
    end += REQUEST_RANGE_BYTES
  }
  return end
}

/** Reads a request frame. Its numbers are modulo 2^32. */
export function readRequest(source: Buffer, at: number): { readonly frame: RequestFrame; readonly end: number } | undefined {
  if (at + REQUEST_HEADER_BYTES > source.length) return undefined
  const [classId = 255, length = 0] = [source[at + 1], source[at + 10]]
  const end = at + REQUEST_HEADER_BYTES + REQUEST_RANGE_BYTES * length
  if (classId >= TRAFFIC_CLASSES.length || length > MAX_REQUEST_RANGES || end > source.length) return undefined
  const ranges: RequestRange[] = []
  for (let place = at + REQUEST_HEADER_BYTES; place < end; place += REQUEST_RANGE_BYTES) {
    ranges.push({ first: source.readUInt32BE(place), count: source.readUInt8(place + 4), round: source.readUInt8(place + 5) })
  }
  return { frame: { classId, cumulative: source.readUInt32BE(at + 2), highest: source.readUInt32BE(at + 6), ranges }, end }
}

/** Asks for proof of life, and for the far end's clock. @see RFC 8762 section 4.1 for the four times */
export interface ProbeFrame {
  readonly id: number
  /** Milliseconds since the epoch, on the asker's clock. */
  readonly askedAt: number
  /** IP packet size of the datagram that carries it, in bytes. */
  readonly size: number
}

/** The answer to a {@link ProbeFrame}. */
export interface AnswerFrame extends ProbeFrame {
  /** On the answerer's clock. */
  readonly heardAt: number
  readonly answeredAt: number
}

const PROBE_BYTES = 15
const ANSWER_BYTES = 31

/** Writes a probe. @returns Its end. */
export function writeProbe(target: Buffer, at: number, { id, askedAt, size }: ProbeFrame): number {
  target[at] = FRAME.probe
  target.writeUInt32BE(id, at + 1)
  target.writeDoubleBE(askedAt, at + 5)
  target.writeUInt16BE(size, at + 13)
  return at + PROBE_BYTES
}

/** Reads a probe. */
export function readProbe(source: Buffer, at: number): { readonly frame: ProbeFrame; readonly end: number } | undefined {
  if (at + PROBE_BYTES > source.length) return undefined
  return { frame: { id: source.readUInt32BE(at + 1), askedAt: source.readDoubleBE(at + 5), size: source.readUInt16BE(at + 13) }, end: at + PROBE_BYTES }
}

/** Writes an answer. @returns Its end. */
export function writeAnswer(target: Buffer, at: number, answer: AnswerFrame): number {
  writeProbe(target, at, answer)
  target[at] = FRAME.answer
  target.writeDoubleBE(answer.heardAt, at + 15)
  target.writeDoubleBE(answer.answeredAt, at + 23)
  return at + ANSWER_BYTES
}

/** Reads an answer. */
export function readAnswer(source: Buffer, at: number): { readonly frame: AnswerFrame; readonly end: number } | undefined {
  if (at + ANSWER_BYTES > source.length) return undefined
  const probe = readProbe(source, at)
  if (probe === undefined) return undefined
  return { frame: { ...probe.frame, heardAt: source.readDoubleBE(at + 15), answeredAt: source.readDoubleBE(at + 23) }, end: at + ANSWER_BYTES }
}

const TAIL_BYTES = 6

/** Writes the highest sequence number of a class that was sent, for whoever waits for a later one. @returns Its end. */
export function writeTail(target: Buffer, at: number, classId: number, highest: number): number {
  target[at] = FRAME.tail
  target[at + 1] = classId
  target.writeUInt32BE(highest % 0x1_0000_0000, at + 2)
  return at + TAIL_BYTES
}

/** Reads it. `highest` is modulo 2^32. */
export function readTail(source: Buffer, at: number): { readonly classId: number; readonly highest: number; readonly end: number } | undefined {
  if (at + TAIL_BYTES > source.length) return undefined
  const classId = source.readUInt8(at + 1)
  return classId >= TRAFFIC_CLASSES.length ? undefined : { classId, highest: source.readUInt32BE(at + 2), end: at + TAIL_BYTES }
}

/** What an end received of a class so far, as it tells the other. */
export interface ClassReport {
  readonly classId: number
  /** In the order of `CLASS_REPORT_FIELDS`. */
  readonly values: readonly number[]
}

/** Totals of a class report, in their order on the wire; each has 48 bits. */
export const CLASS_REPORT_FIELDS = ['packets', 'bytes', 'retransmittedPackets', 'retransmittedBytes', 'fecPackets', 'fecBytes', 'fecRecoveredPackets', 'deadlineMisses'] as const
const CLASS_REPORT_BYTES = 2 + 6 * CLASS_REPORT_FIELDS.length

/** Writes a class report. @returns Its end. */
export function writeClassReport(target: Buffer, at: number, { classId, values }: ClassReport): number {
  target[at] = FRAME.classReport
  target[at + 1] = classId
  CLASS_REPORT_FIELDS.forEach((_field, index) => target.writeUIntBE(Math.min(values[index] ?? 0, 2 ** 48 - 1), at + 2 + 6 * index, 6))
  return at + CLASS_REPORT_BYTES
}

/** Reads a class report. */
export function readClassReport(source: Buffer, at: number): { readonly frame: ClassReport; readonly end: number } | undefined {
  if (at + CLASS_REPORT_BYTES > source.length) return undefined
  const classId = source.readUInt8(at + 1)
  if (classId >= TRAFFIC_CLASSES.length) return undefined
  return { frame: { classId, values: CLASS_REPORT_FIELDS.map((_field, index) => source.readUIntBE(at + 2 + 6 * index, 6)) }, end: at + CLASS_REPORT_BYTES }
}
