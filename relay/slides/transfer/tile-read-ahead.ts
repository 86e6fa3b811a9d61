import { tilesOf } from '../../wire/slide.ts'
import { tileAt } from '../../wire/tile-order.ts'
import type { SlideStructure } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'

/** Fetches the tiles of a slide in the order in which it is reassembled, some ahead of the one that is taken: a line's round trip is then waited for once. */
export class TileReadAhead {
  readonly #structure: SlideStructure
  readonly #fetch: (level: number, position: TilePosition) => Promise<Buffer>
  readonly #most: number
  readonly #ahead: Promise<Buffer>[] = []
  #level = 0
  #ordinal = 0

  /** @param most - Tiles that are fetched at once. */
  constructor(structure: SlideStructure, fetch: (level: number, position: TilePosition) => Promise<Buffer>, most: number) {
    this.#structure = structure
    this.#fetch = fetch
    this.#most = most
  }

  /** The next tile: level 0 first, each level in its order. */
  next(): Promise<Buffer> {
    while (this.#ahead.length < this.#most && this.#begin());
    const tile = this.#ahead.shift()
    return tile ?? Promise.reject(new Error('a slide has no more tiles'))
  }

  /** @returns False when all were begun. */
  #begin(): boolean {
    const shape = this.#structure.levels[this.#level]
    if (shape === undefined) return false
    if (this.#ordinal === tilesOf(shape)) {
      this.#level++
      this.#ordinal = 0
      return this.#begin()
    }
    const tile = this.#fetch(this.#level, tileAt(shape, this.#ordinal++))
    // Heard when it is its turn.
    tile.catch(() => undefined)
    this.#ahead.push(tile)
    return true
  }
}
