import { RelayFault } from '../../wire/fault.ts'
import { SLIDE_LIMITS, SQUARE_BYTES, squaresOf } from '../../wire/slide.ts'
import { tilesOfSquare } from '../../wire/tile-order.ts'
import type { SlideStructure } from '../../wire/slide.ts'

/** `KSQ1`: a square of tiles. `docs/SLIDES.md` is the normative text. Integers are big-endian. */
const MAGIC = 0x4b535131
/** Magic, level, square, number of tiles, length of the head. */
const HEADER_BYTES = 4 + 4 + 4 + 4 + 4
const MAX_HEAD_BYTES = 4096

/** Tiles of one square of a level, with the head that proves them before the level is known. */
export interface TileSquare {
  readonly level: number
  readonly square: number
  /** JWS in compact serialisation. */
  readonly head: string
  /** In the order of the level; empty where the format left one out. */
  readonly tiles: readonly Buffer[]
}

/** @returns Undefined for one that is too long to go ahead of its level. */
export function encodeSquare({ level, square, head, tiles }: TileSquare): Buffer | undefined {
  const header = Buffer.alloc(HEADER_BYTES + 4 * tiles.length)
  header.writeUInt32BE(MAGIC, 0)
  header.writeUInt32BE(level, 4)
  header.writeUInt32BE(square, 8)
  header.writeUInt32BE(tiles.length, 12)
  header.writeUInt32BE(head.length, 16)
  let at = HEADER_BYTES
  for (const { length } of tiles) at = header.writeUInt32BE(length, at)
  const length = tiles.reduce((sum, tile) => sum + tile.length, header.length + head.length)
  return length > SQUARE_BYTES ? undefined : Buffer.concat([header, Buffer.from(head, 'ascii'), ...tiles], length)
}

/** @returns The square; its tiles are views of the message. @throws {RelayFault} `bad_slide` for what is no square of that slide. */
export function decodeSquare(message: Buffer, { levels }: SlideStructure): TileSquare {
  const bad = (what: string): RelayFault => new RelayFault('bad_slide', `square: ${what}`)
  if (message.length > SQUARE_BYTES) throw bad('too long')
  if (message.length < HEADER_BYTES || message.readUInt32BE(0) !== MAGIC) throw bad('not one')
  const [level, square, count, headLength] = [message.readUInt32BE(4), message.readUInt32BE(8), message.readUInt32BE(12), message.readUInt32BE(16)]
  const shape = levels[level]
  if (shape === undefined || square >= squaresOf(shape)) throw bad('of no level, or beyond it')
  if (count !== tilesOfSquare(shape, square).tiles) throw bad('another number of tiles than it has')
  const headAt = HEADER_BYTES + 4 * count
  if (headLength > MAX_HEAD_BYTES || headAt + headLength > message.length) throw bad('another length than its parts')
  let at = headAt + headLength
  const tiles = Array.from({ length: count }, (_, turn) => {
    const length = message.readUInt32BE(HEADER_BYTES + 4 * turn)
    if (length > SLIDE_LIMITS.tileBytes || at + length > message.length) throw bad('a tile is too long')
    at += length
    return message.subarray(at - length, at)
  })
  if (at !== message.length) throw bad('another length than its parts')
  return { level, square, head: message.toString('ascii', headAt, headAt + headLength), tiles }
}
