import { RelayFault } from '../../wire/fault.ts'
import { columnsOf, tilesOf } from '../../wire/slide.ts'
import type { SlideLevel } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'
import type { LevelLengths } from './dicomweb-source.ts'

/** Which tile is which frame of an instance: row by row; tiles that the format left out are no frames. @see PS3.3 section C.7.6.17.3 */
export class FrameOrder {
  readonly #columns: number
  /** Tiles that are there, by row × columns + column; `undefined` when all are. */
  readonly #tiles: Uint32Array | undefined
  readonly frames: number

  private constructor(level: SlideLevel, tiles: Uint32Array | undefined) {
    this.#columns = columnsOf(level)
    this.#tiles = tiles
    this.frames = tiles?.length ?? tilesOf(level)
  }

  /** Looks at the length of every tile. */
  static of(level: SlideLevel, lengths: LevelLengths): FrameOrder {
    const columns = columnsOf(level)
    const tiles = new Uint32Array(tilesOf(level))
    let count = 0
    for (let tile = 0; tile < tiles.length; tile++) if (lengths.lengthOf({ column: tile % columns, row: Math.floor(tile / columns) }) > 0) tiles[count++] = tile
    return new FrameOrder(level, count === tiles.length ? undefined : tiles.slice(0, count))
  }

  /** Whether tiles are left out: `TILED_SPARSE`. */
  get isSparse(): boolean {
    return this.#tiles !== undefined
  }

  /** @param frame - From 1. @throws {RelayFault} `not_found`. */
  tileOf(frame: number): TilePosition {
    if (!Number.isInteger(frame) || frame < 1 || frame > this.frames) throw new RelayFault('not_found', 'no such frame')
    const tile = this.#tiles === undefined ? frame - 1 : (this.#tiles[frame - 1] ?? 0)
    return { column: tile % this.#columns, row: Math.floor(tile / this.#columns) }
  }

  /** All tiles that are frames, in their order. */
  *positions(): Generator<TilePosition> {
    for (let frame = 1; frame <= this.frames; frame++) yield this.tileOf(frame)
  }
}
