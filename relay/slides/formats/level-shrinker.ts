import sharp from 'sharp'
import { RelayFault } from '../../wire/fault.ts'
import { columnsOf, rowsOf } from '../../wire/slide.ts'
import { jpegCompleter } from '../../wire/tile-jpeg.ts'
import { stackJpegs } from './jpeg-stack.ts'
import type { SlideLevel } from '../../wire/slide.ts'
import type { Shrink } from './pyramid-plan.ts'

/** The stored bytes of a tile; empty where the format leaves it out. */
export type ReadTile = (column: number, row: number) => Promise<Buffer>

const JPEG_QUALITY = 90
/** Shrunk tiles kept for the next tile beside and below, in bytes. */
const KEPT_BYTES = 48 * 1024 * 1024
/** Tiles of one column that are decoded together; more give little. */
const MOST_STACKED = 24

/** Makes tiles of one level out of those of the next finer one: runs of a column are shrunk together while they are decoded, and copied to their places. */
export class LevelShrinker {
  readonly #source: SlideLevel
  readonly #read: ReadTile
  readonly #complete: (tile: Uint8Array) => Uint8Array
  /** Of a shrunk tile, in pixels. */
  readonly #width: number
  readonly #height: number
  /** Rows of tiles in a run. */
  readonly #run: number
  /** Shrunk runs, oldest first. */
  readonly #kept = new Map<number, Promise<readonly Uint8Array[]>>()

  constructor(source: SlideLevel, shrink: Shrink, read: ReadTile) {
    this.#source = source
    this.#read = read
    this.#complete = jpegCompleter(source.encoding)
    this.#width = source.tileWidth / shrink
    this.#height = source.tileHeight / shrink
    // Two rows of runs must be kept for the tiles that lie across both.
    const row = columnsOf(source) * this.#tileBytes
    this.#run = Math.min(rowsOf(source), MOST_STACKED, Math.max(1, Math.floor(KEPT_BYTES / (2 * row))))
  }

  /** @returns A JPEG. @throws {RelayFault} `bad_slide` when a tile that it takes cannot be decoded; what `read` throws. */
  async make(shape: SlideLevel, column: number, row: number): Promise<Buffer> {
    const { tileWidth, tileHeight } = shape
    const [left, top] = [column * tileWidth, row * tileHeight]
    const pixels = new Uint8Array(tileWidth * tileHeight * 3).fill(255)
    const [firstColumn, firstRow] = [Math.floor(left / this.#width), Math.floor(top / this.#height)]
    const lastColumn = Math.min(columnsOf(this.#source) - 1, Math.floor((left + tileWidth - 1) / this.#width))
    const lastRow = Math.min(rowsOf(this.#source) - 1, Math.floor((top + tileHeight - 1) / this.#height))
    const copies: Promise<void>[] = []
    for (let y = firstRow; y <= lastRow; y++) {
      for (let x = firstColumn; x <= lastColumn; x++) {
        copies.push(this.#shrunk(x, y).then(tile => this.#copy(tile, x * this.#width - left, y * this.#height - top, pixels, shape)))
      }
    }
    await Promise.all(copies)
    return sharp(pixels, { raw: { width: tileWidth, height: tileHeight, channels: 3 } }).jpeg({ quality: JPEG_QUALITY, chromaSubsampling: '4:2:0' }).toBuffer()
  }

  get #tileBytes(): number {
    return this.#width * this.#height * 3
  }

  /** @param x, y - Of the shrunk tile's corner, in pixels of the tile that is made; may be negative. */
  #copy(tile: Uint8Array, x: number, y: number, pixels: Uint8Array, { tileWidth, tileHeight }: SlideLevel): void {
    const [from, to] = [Math.max(0, x), Math.min(tileWidth, x + this.#width)]
    for (let line = Math.max(0, y); line < Math.min(tileHeight, y + this.#height); line++) {
      const at = ((line - y) * this.#width + from - x) * 3
      pixels.set(tile.subarray(at, at + (to - from) * 3), (line * tileWidth + from) * 3)
    }
  }

  async #shrunk(x: number, y: number): Promise<Uint8Array> {
    const first = y - (y % this.#run)
    const key = first * columnsOf(this.#source) + x
    const run = this.#kept.get(key) ?? this.#decodeRun(x, first)
    this.#kept.delete(key)
    this.#kept.set(key, run)
    const most = Math.max(64, Math.floor(KEPT_BYTES / (this.#tileBytes * this.#run)))
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= most) break
      this.#kept.delete(oldest)
    }
    const tile = (await run)[y - first]
    if (tile === undefined) throw new Error('a run has its tiles')
    return tile
  }

  async #decodeRun(x: number, first: number): Promise<readonly Uint8Array[]> {
    const count = Math.min(this.#run, rowsOf(this.#source) - first)
    const stored = await Promise.all(Array.from({ length: count }, (_, turn) => this.#read(x, first + turn)))
    if (count > 1 && stored.every(({ length }) => length > 0)) {
      const stack = stackJpegs(stored.map(this.#complete))
      // Of one that cannot be decoded, its tiles say by themselves which.
      const pixels = stack && (await this.#decode(stack, count).catch(() => undefined))
      if (pixels !== undefined) return stored.map((_, turn) => pixels.subarray(turn * this.#tileBytes, (turn + 1) * this.#tileBytes))
    }
    return Promise.all(stored.map(async tile => (tile.length === 0 ? new Uint8Array(this.#tileBytes).fill(255) : this.#decode(this.#complete(tile), 1))))
  }

  /** @param count - Tiles that lie one below the other in it. */
  async #decode(jpeg: Uint8Array, count: number): Promise<Uint8Array> {
    const { tileWidth, tileHeight } = this.#source
    try {
      // A tile with an error in its scan is shown as far as it goes, as viewers do.
      return await sharp(jpeg, { failOn: 'none', limitInputPixels: tileWidth * tileHeight * count }).resize(this.#width, this.#height * count, { fit: 'fill' }).toColourspace('srgb').removeAlpha().raw().toBuffer()
    } catch (cause) {
      throw new RelayFault('bad_slide', 'a tile that cannot be decoded', { cause })
    }
  }
}
