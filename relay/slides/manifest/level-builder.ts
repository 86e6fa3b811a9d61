import { createHash } from 'node:crypto'
import { CHUNK_BYTES } from '../../wire/slide.ts'
import { tileAt } from '../../wire/tile-order.ts'
import { LevelIndex } from './level-index.ts'
import { leafHash, rootOf } from './merkle-tree.ts'
import type { SlideLevel } from '../../wire/slide.ts'

interface BuiltChunk {
  readonly sha256: Buffer
  readonly root: Uint8Array
  readonly tileLengths: readonly number[]
}

/** Cuts the tiles of a level into chunks and hashes them, one tile after the other in the order of the level. */
export class LevelBuilder {
  readonly #level: number
  readonly #shape: SlideLevel
  readonly #chunks: BuiltChunk[] = []
  #ordinal = 0
  #hash = createHash('sha256')
  #leaves: Buffer[] = []
  #lengths: number[] = []
  #length = 0

  constructor(level: number, shape: SlideLevel) {
    this.#level = level
    this.#shape = shape
  }

  /** The next tile of the level. */
  add(tile: Uint8Array): void {
    if (this.#lengths.length > 0 && this.#length + tile.length > CHUNK_BYTES.most) this.#close()
    this.#hash.update(tile)
    this.#leaves.push(leafHash(this.#level, tileAt(this.#shape, this.#ordinal++), tile))
    this.#lengths.push(tile.length)
    this.#length += tile.length
    if (this.#length >= CHUNK_BYTES.least) this.#close()
  }

  /** After the last tile. @returns The index, as it is sent. */
  finish(): Buffer {
    if (this.#lengths.length > 0) this.#close()
    return LevelIndex.encode(this.#chunks)
  }

  #close(): void {
    this.#chunks.push({ sha256: this.#hash.digest(), root: rootOf(this.#leaves), tileLengths: this.#lengths })
    this.#hash = createHash('sha256')
    this.#leaves = []
    this.#lengths = []
    this.#length = 0
  }
}
