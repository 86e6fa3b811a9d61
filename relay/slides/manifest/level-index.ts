import { CHUNK_BYTES, SLIDE_LIMITS, tilesOf } from '../../wire/slide.ts'
import { RelayFault } from '../../wire/fault.ts'
import { rootOf } from './merkle-tree.ts'
import type { Sha256 } from '../../wire/ids.ts'
import type { SlideLevel } from '../../wire/slide.ts'

/** One chunk of a level, as its index says it. */
export interface IndexedChunk {
  readonly sha256: Sha256
  /** Merkle root over its tiles. */
  readonly root: Buffer
  /** Ordinal of its first tile, and how many it has. */
  readonly firstTile: number
  readonly tiles: number
  /** In bytes. */
  readonly length: number
}

/** Where the bytes of a tile are. */
export interface TileLocation {
  readonly chunk: number
  /** In the chunk, in bytes. */
  readonly offset: number
  readonly length: number
}

const MAGIC = 0x4b53_4c31
const HEADER_BYTES = 12
const CHUNK_ENTRY_BYTES = 68

/**
 * Which chunks a level has and how long every tile is. On the wire: `KSL1`, number of tiles, number of chunks; for each
 * chunk its SHA-256, its Merkle root and its number of tiles; for each tile its length. Numbers are of 32 bits, big
 * endian. An empty tile is one that the format left out.
 */
export class LevelIndex {
  readonly tiles: number
  readonly chunks: number
  readonly #bytes: Buffer
  readonly #firstTiles: Uint32Array
  /** Of each tile in its chunk. */
  readonly #offsets: Uint32Array
  readonly #lengths: Uint32Array

  private constructor(bytes: Buffer, firstTiles: Uint32Array, offsets: Uint32Array, lengths: Uint32Array) {
    this.#bytes = bytes
    this.#firstTiles = firstTiles
    this.#offsets = offsets
    this.#lengths = lengths
    this.tiles = offsets.length
    this.chunks = lengths.length
  }

  /** @throws {RelayFault} `bad_slide` for what is no index of such a level, or has chunks that do not follow the rules of `CHUNK_BYTES`. */
  static decode(bytes: Buffer, level: SlideLevel): LevelIndex {
    const bad = (message: string): RelayFault => new RelayFault('bad_slide', `level index: ${message}`)
    if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== MAGIC) throw bad('not one')
    const tiles = bytes.readUInt32BE(4)
    const chunks = bytes.readUInt32BE(8)
    if (tiles !== tilesOf(level) || tiles > SLIDE_LIMITS.tiles) throw bad('another number of tiles than the level has')
    if (chunks < 1 || chunks > tiles || bytes.length !== HEADER_BYTES + chunks * CHUNK_ENTRY_BYTES + 4 * tiles) throw bad('another length than its counts say')
    const [firstTiles, offsets, lengths] = [new Uint32Array(chunks + 1), new Uint32Array(tiles), new Uint32Array(chunks)]
    const sizesAt = HEADER_BYTES + chunks * CHUNK_ENTRY_BYTES
    let tile = 0
    for (let chunk = 0; chunk < chunks; chunk++) {
      const count = bytes.readUInt32BE(HEADER_BYTES + chunk * CHUNK_ENTRY_BYTES + 64)
      if (count < 1 || tile + count > tiles) throw bad('chunks have more tiles than the level')
      firstTiles[chunk] = tile
      let length = 0
      for (const end = tile + count; tile < end; tile++) {
        const size = bytes.readUInt32BE(sizesAt + 4 * tile)
        if (size > SLIDE_LIMITS.tileBytes) throw bad('a tile is too long')
        offsets[tile] = length
        length += size
        // A tile that is longer than a chunk may be stands alone.
        if (length > CHUNK_BYTES.most && count > 1) throw bad('a chunk is too long')
      }
      lengths[chunk] = length
    }
    if (tile !== tiles) throw bad('chunks have fewer tiles than the level')
    firstTiles[chunks] = tiles
    return new LevelIndex(bytes, firstTiles, offsets, lengths)
  }

  /** As it is sent. */
  static encode(chunks: readonly { readonly sha256: Uint8Array; readonly root: Uint8Array; readonly tileLengths: readonly number[] }[]): Buffer {
    const tiles = chunks.reduce((sum, { tileLengths }) => sum + tileLengths.length, 0)
    const bytes = Buffer.alloc(HEADER_BYTES + chunks.length * CHUNK_ENTRY_BYTES + 4 * tiles)
    bytes.writeUInt32BE(MAGIC, 0)
    bytes.writeUInt32BE(tiles, 4)
    bytes.writeUInt32BE(chunks.length, 8)
    let sizeAt = HEADER_BYTES + chunks.length * CHUNK_ENTRY_BYTES
    for (const [index, { sha256, root, tileLengths }] of chunks.entries()) {
      const at = HEADER_BYTES + index * CHUNK_ENTRY_BYTES
      bytes.set(sha256, at)
      bytes.set(root, at + 32)
      bytes.writeUInt32BE(tileLengths.length, at + 64)
      for (const length of tileLengths) sizeAt = bytes.writeUInt32BE(length, sizeAt)
    }
    return bytes
  }

  /** Bytes of all chunks together. */
  get length(): number {
    return this.#lengths.reduce((sum, length) => sum + length, 0)
  }

  /** @throws {RelayFault} `out_of_range`. */
  chunk(index: number): IndexedChunk {
    const [firstTile, next, length] = [this.#firstTiles[index], this.#firstTiles[index + 1], this.#lengths[index]]
    if (firstTile === undefined || next === undefined || length === undefined) throw new RelayFault('out_of_range', 'no such chunk')
    const at = HEADER_BYTES + index * CHUNK_ENTRY_BYTES
    return { sha256: this.#bytes.toString('hex', at, at + 32) as Sha256, root: this.#bytes.subarray(at + 32, at + 64), firstTile, tiles: next - firstTile, length }
  }

  /** Which chunk has a tile. @param ordinal - In the order of the level. @throws {RelayFault} `out_of_range`. */
  chunkOf(ordinal: number): number {
    if (!Number.isInteger(ordinal) || ordinal < 0 || ordinal >= this.tiles) throw new RelayFault('out_of_range', 'no such tile')
    let [low, high] = [0, this.chunks - 1]
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((this.#firstTiles[middle] ?? 0) <= ordinal) low = middle
      else high = middle - 1
    }
    return low
  }

  /** Where a tile is. @throws {RelayFault} `out_of_range`. */
  locate(ordinal: number): TileLocation {
    const chunk = this.chunkOf(ordinal)
    return { chunk, offset: this.#offsets[ordinal] ?? 0, length: this.lengthOf(ordinal) }
  }

  /** In bytes. */
  lengthOf(ordinal: number): number {
    return this.#bytes.readUInt32BE(HEADER_BYTES + this.chunks * CHUNK_ENTRY_BYTES + 4 * ordinal)
  }

  /** SHA-256 and length of every chunk, in order. */
  *entries(): Generator<IndexedChunk> {
    for (let index = 0; index < this.chunks; index++) yield this.chunk(index)
  }

  /** Merkle roots of all chunks, in order. */
  get chunkRoots(): Buffer[] {
    return Array.from({ length: this.chunks }, (_, index) => this.#bytes.subarray(HEADER_BYTES + index * CHUNK_ENTRY_BYTES + 32, HEADER_BYTES + index * CHUNK_ENTRY_BYTES + 64))
  }

  /** Merkle root over the level's tiles. */
  get root(): Uint8Array {
    return rootOf(this.chunkRoots)
  }
}
