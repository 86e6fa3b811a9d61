import { RelayFault } from '../../wire/fault.ts'
import { columnsOf, rowsOf, SLIDE_LIMITS } from '../../wire/slide.ts'
import type { SlideLevel } from '../../wire/slide.ts'
import type { FramePositions } from './frame-positions.ts'

/** Which frame shows which tile of a level that leaves tiles out, or has them in an order of its own. 8 bytes a frame. */
export class SparseTiles {
  /** Tile × `SLIDE_LIMITS.tiles` + frame, ascending: below 2^46. */
  readonly #keys: Float64Array

  private constructor(keys: Float64Array) {
    this.#keys = keys
  }

  /** @throws {RelayFault} `bad_slide` for tiles outside the image; `unsupported_slide` for tiles off the grid, and two frames for one tile. */
  static of(level: SlideLevel, positions: FramePositions): SparseTiles {
    const keys = new Float64Array(positions.count)
    for (let frame = 0; frame < keys.length; frame++) keys[frame] = tileNumber(level, positions.column(frame) - 1, positions.row(frame) - 1) * SLIDE_LIMITS.tiles + frame
    keys.sort()
    for (let index = 1; index < keys.length; index++) {
      if (tileOf(keys[index] ?? 0) === tileOf(keys[index - 1] ?? 0)) throw new RelayFault('unsupported_slide', 'DICOM: several frames for one tile are not read')
    }
    return new SparseTiles(keys)
  }

  /** @param tile - Row × columns + column. @returns `undefined` for a tile that is left out. */
  frameOf(tile: number): number | undefined {
    let [low, high] = [0, this.#keys.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (tileOf(this.#keys[middle] ?? 0) < tile) low = middle + 1
      else high = middle
    }
    const key = this.#keys[low]
    return key !== undefined && tileOf(key) === tile ? key % SLIDE_LIMITS.tiles : undefined
  }
}

const tileOf = (key: number): number => Math.floor(key / SLIDE_LIMITS.tiles)

/** Positions are of the top left pixel, from 0. */
function tileNumber(level: SlideLevel, x: number, y: number): number {
  const [column, row] = [x / level.tileWidth, y / level.tileHeight]
  if (!Number.isInteger(column) || !Number.isInteger(row)) throw new RelayFault('unsupported_slide', 'DICOM: tiles that do not stand on a grid are not read')
  if (column < 0 || row < 0 || column >= columnsOf(level) || row >= rowsOf(level)) throw new RelayFault('bad_slide', 'DICOM: a tile stands outside the image')
  return row * columnsOf(level) + column
}
