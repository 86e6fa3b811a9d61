/**
 * What is said of chunks over a link: one message of the class `bulk` for each part of a chunk, and messages of the
 * class `control` that answer many at once. `docs/LINKS.md` is the normative text. Integers are big-endian.
 */
import { RelayFault } from '../../wire/fault.ts'
import { SlideId } from '../../wire/ids.ts'
import { SLIDE_LIMITS } from '../../wire/slide.ts'
import type { FaultCode } from '../../wire/fault.ts'
import type { Sha256 } from '../../wire/ids.ts'

const VERSION = 1
const CHUNK_TYPE = 1
const ANSWERS_TYPE = 2
const SQUARE_TYPE = 3

/** A chunk longer than this travels in parts of it, of which only the last is shorter. In bytes. */
export const PART_BYTES = 1024 * 1024
/** Version, type, ticket, slide, SHA-256, length of the chunk, offset of the part. */
export const CHUNK_HEADER_BYTES = 1 + 1 + 4 + 16 + 32 + 4 + 4
const AT = { ticket: 2, slideId: 6, sha256: 22, total: 54, offset: 58 } as const

const ANSWERS_HEADER_BYTES = 1 + 1 + 2
const ANSWER_BYTES = 4 + 1
/** Answers in one message at most. */
export const MAX_ANSWERS = 1024

/** One chunk or square, or a part of one, on its way. */
export interface ChunkPart {
  /** A square goes ahead of its level; its SHA-256 is that of its message. */
  readonly kind: 'chunk' | 'square'
  /** Chosen by the sender, and repeated in the answer. Of all chunks that wait for an answer no two have one. */
  readonly ticket: number
  readonly slideId: SlideId
  readonly sha256: Sha256
  /** Length of the whole chunk, in bytes. */
  readonly total: number
  /** Where in the chunk this part begins, a multiple of {@link PART_BYTES}. */
  readonly offset: number
  readonly body: Buffer
}

/** What may become of a chunk at a node, in the order of the numbers that stand for it. */
export const CHUNK_OUTCOMES = [
  'stored', 'known',
  'bad_message', 'overloaded', 'wrong_role', 'wrong_state', 'conflict', 'not_found', 'unavailable', 'hash_mismatch', 'grant_refused', 'quota_exceeded', 'storage_full', 'internal',
  'bad_slide', 'signature_refused',
] as const satisfies readonly ('stored' | 'known' | FaultCode)[]
export type ChunkOutcome = (typeof CHUNK_OUTCOMES)[number]

/** What became of one chunk. A refusal stores nothing. */
export interface ChunkAnswer {
  readonly ticket: number
  readonly outcome: ChunkOutcome
}

/** The outcome that tells of a fault; `internal` for a code that no chunk can meet. */
export const outcomeOf = (code: FaultCode): ChunkOutcome => CHUNK_OUTCOMES.find(outcome => outcome === code) ?? 'internal'

/** Length of the part of a chunk that begins at an offset. In bytes. */
export const partLength = (total: number, offset: number): number => Math.min(PART_BYTES, total - offset)

/** The part of a chunk that begins at `offset`. */
export function encodeChunkPart({ ticket, kind = 'chunk', slideId, sha256, chunk, offset }: Partial<Pick<ChunkPart, 'kind'>> & Pick<ChunkPart, 'ticket' | 'slideId' | 'sha256' | 'offset'> & { readonly chunk: Buffer }): Buffer {
  const length = partLength(chunk.length, offset)
  const message = Buffer.allocUnsafe(CHUNK_HEADER_BYTES + length)
  message.writeUInt8(VERSION, 0)
  message.writeUInt8(kind === 'chunk' ? CHUNK_TYPE : SQUARE_TYPE, 1)
  message.writeUInt32BE(ticket, AT.ticket)
  message.write(slideId.replaceAll('-', ''), AT.slideId, 'hex')
  message.write(sha256, AT.sha256, 'hex')
  message.writeUInt32BE(chunk.length, AT.total)
  message.writeUInt32BE(offset, AT.offset)
  chunk.copy(message, CHUNK_HEADER_BYTES, offset, offset + length)
  return message
}

/** @returns The part; its body is a view of the message. @throws {RelayFault} `bad_message`. */
export function decodeChunkPart(message: Buffer): ChunkPart {
  if (message.length <= CHUNK_HEADER_BYTES) throw new RelayFault('bad_message', 'a chunk is shorter than its header')
  if (!isPart(message)) throw new RelayFault('bad_message', 'not a chunk')
  const slideId = SlideId.safeParse(uuidText(message.toString('hex', AT.slideId, AT.sha256)))
  if (!slideId.success) throw new RelayFault('bad_message', 'a chunk of no slide')
  const total = message.readUInt32BE(AT.total)
  const offset = message.readUInt32BE(AT.offset)
  if (total > SLIDE_LIMITS.tileBytes) throw new RelayFault('bad_message', 'a chunk is too long')
  if (offset >= total || offset % PART_BYTES !== 0) throw new RelayFault('bad_message', 'a part of a chunk begins where none can')
  const body = message.subarray(CHUNK_HEADER_BYTES)
  if (body.length !== partLength(total, offset)) throw new RelayFault('bad_message', 'a part of a chunk has the wrong length')
  const sha256 = message.toString('hex', AT.sha256, AT.total) as Sha256
  const kind = message.readUInt8(1) === CHUNK_TYPE ? 'chunk' : 'square'
  return { ticket: message.readUInt32BE(AT.ticket), kind, slideId: slideId.data, sha256, total, offset, body }
}

/** The ticket of a message that is no chunk, so that its sender can be told; undefined when it has none. */
export const salvageTicket = (message: Buffer): number | undefined =>
  message.length >= AT.slideId && isPart(message) ? message.readUInt32BE(AT.ticket) : undefined

/** @param answers - From 1 to {@link MAX_ANSWERS}. */
export function encodeAnswers(answers: readonly ChunkAnswer[]): Buffer {
  if (answers.length === 0 || answers.length > MAX_ANSWERS) throw new Error(`a message has from 1 to ${MAX_ANSWERS} answers`)
  const message = Buffer.allocUnsafe(ANSWERS_HEADER_BYTES + answers.length * ANSWER_BYTES)
  message.writeUInt8(VERSION, 0)
  message.writeUInt8(ANSWERS_TYPE, 1)
  message.writeUInt16BE(answers.length, 2)
  answers.forEach(({ ticket, outcome }, index) => {
    const at = ANSWERS_HEADER_BYTES + index * ANSWER_BYTES
    message.writeUInt32BE(ticket, at)
    message.writeUInt8(CHUNK_OUTCOMES.indexOf(outcome), at + 4)
  })
  return message
}

/** Whether a message of the class `control` is meant to be answers; signaling, which shares it, is JSON. */
export const isAnswers = (message: Buffer): boolean => message.length > 1 && message.readUInt8(0) === VERSION && message.readUInt8(1) === ANSWERS_TYPE

/** @throws {RelayFault} `bad_message`. */
export function decodeAnswers(message: Buffer): ChunkAnswer[] {
  if (!isAnswers(message) || message.length < ANSWERS_HEADER_BYTES) throw new RelayFault('bad_message', 'not answers')
  const count = message.readUInt16BE(2)
  if (count === 0 || count > MAX_ANSWERS || message.length !== ANSWERS_HEADER_BYTES + count * ANSWER_BYTES) throw new RelayFault('bad_message', 'answers of another number than they say')
  return Array.from({ length: count }, (_, index) => {
    const at = ANSWERS_HEADER_BYTES + index * ANSWER_BYTES
    const outcome = CHUNK_OUTCOMES[message.readUInt8(at + 4)]
    if (outcome === undefined) throw new RelayFault('bad_message', 'an answer that is none')
    return { ticket: message.readUInt32BE(at), outcome }
  })
}

const isPart = (message: Buffer): boolean => message.readUInt8(0) === VERSION && [CHUNK_TYPE, SQUARE_TYPE].includes(message.readUInt8(1))

const uuidText = (hex: string): string => `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
