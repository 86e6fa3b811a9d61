import { LRUCache } from 'lru-cache'
import sharp from 'sharp'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { columnsOf, rowsOf } from '../../../relay/wire/slide.ts'
import { jpegCompleter } from '../../../relay/wire/tile-jpeg.ts'
import { BLOCK_BYTES, BLOCK_SIDE, blockKey, gridOf } from './block-grid.ts'
import { scalesOf } from './slide-scales.ts'
import { blankBlock } from './slide-specimen.ts'
import type { SlideReader } from '../../../relay/slides/formats/slide-reader.ts'
import type { BlockAddress, SlideSize } from './block-grid.ts'
import type { SlideScale } from './slide-scales.ts'

/** What blocks are made of. */
export type SlideTiles = Pick<SlideReader, 'levels' | 'readTile'>

/** Decoded tiles that are kept, in bytes: blocks and tiles overlap. */
const TILE_BYTES = 64 * 1024 * 1024
/** Made blocks that are kept, in bytes: a coarser one is made of four. */
const MADE_BYTES = 32 * 1024 * 1024
const RGB = 3

interface DecodedTile {
  readonly width: number
  readonly height: number
  /** RGB, rows from the top. Undefined where the slide leaves the tile out. */
  readonly pixels: Uint8Array | undefined
}

/** Makes blocks of a slide's tiles: decodes, lays together, and halves where the slide has no level of that resolution. */
export class BlockMaker {
  readonly #tiles: SlideTiles
  readonly #scales: readonly SlideScale[]
  readonly #size: SlideSize
  readonly #complete: ReadonlyMap<number, (tile: Uint8Array) => Uint8Array>
  readonly #decoded = new LRUCache<string, { readonly tile: Promise<DecodedTile> }>({ maxSize: TILE_BYTES, sizeCalculation: () => 1 })
  readonly #made = new LRUCache<string, { readonly block: Promise<Uint8Array> }>({ max: Math.floor(MADE_BYTES / BLOCK_BYTES) })

  /** @throws {RelayFault} `unsupported_slide` when the tiles are no JPEG; `bad_slide` when their tables are none, or there are no levels. */
  constructor(tiles: SlideTiles) {
    const [finest] = tiles.levels
    if (finest === undefined) throw new RelayFault('bad_slide', 'a slide without levels')
    this.#tiles = tiles
    this.#size = finest
    this.#scales = scalesOf(tiles.levels)
    this.#complete = new Map(this.#scales.map(({ index, shape }) => [index, jpegCompleter(shape.encoding)]))
  }

  /** @returns I420. @throws {RelayFault} `bad_slide` for a tile that cannot be decoded; what reading it throws. */
  make(address: BlockAddress): Promise<Uint8Array> {
    const key = blockKey(address)
    const known = this.#made.get(key)
    if (known !== undefined) return known.block
    const block = this.#makeAnew(address)
    this.#made.set(key, { block })
    // It may be there the next time.
    block.catch(() => this.#made.delete(key))
    return block
  }

  #makeAnew(address: BlockAddress): Promise<Uint8Array> {
    const scale = this.#scales.findLast(({ halvings }) => halvings <= address.level)
    if (scale === undefined) throw new Error('a slide has a finest level')
    return scale.halvings === address.level ? this.#layTogether(scale, address) : this.#halve(address)
  }

  async #layTogether({ index, shape }: SlideScale, { column, row }: BlockAddress): Promise<Uint8Array> {
    const pixels = new Uint8Array(BLOCK_SIDE * BLOCK_SIDE * RGB).fill(255)
    const { tileWidth, tileHeight } = shape
    const [left, top] = [column * BLOCK_SIDE, row * BLOCK_SIDE]
    const lastColumn = Math.min(columnsOf(shape) - 1, Math.floor((left + BLOCK_SIDE - 1) / tileWidth))
    const lastRow = Math.min(rowsOf(shape) - 1, Math.floor((top + BLOCK_SIDE - 1) / tileHeight))
    const parts: Promise<void>[] = []
    for (let tileRow = Math.floor(top / tileHeight); tileRow <= lastRow; tileRow++) {
      for (let tileColumn = Math.floor(left / tileWidth); tileColumn <= lastColumn; tileColumn++) {
        const [x, y] = [tileColumn * tileWidth, tileRow * tileHeight]
        const size = { width: Math.min(tileWidth, shape.width - x), height: Math.min(tileHeight, shape.height - y) }
        parts.push(this.#decode(index, tileColumn, tileRow).then(tile => paste(tile, size, { x: x - left, y: y - top }, pixels)))
      }
    }
    await Promise.all(parts)
    return toI420(pixels)
  }

  async #halve({ level, column, row }: BlockAddress): Promise<Uint8Array> {
    const { columns, rows } = gridOf(this.#size, level - 1)
    const block = blankBlock()
    // One after the other: a coarse block is made of very many fine ones.
    for (const [x, y] of [[0, 0], [1, 0], [0, 1], [1, 1]] as const) {
      const finer = { level: level - 1, column: 2 * column + x, row: 2 * row + y }
      if (finer.column < columns && finer.row < rows) halveInto(await this.make(finer), x, y, block)
    }
    return block
  }

  #decode(level: number, column: number, row: number): Promise<DecodedTile> {
    const key = `${level}/${column}/${row}`
    const known = this.#decoded.get(key)
    if (known !== undefined) return known.tile
    const tile = this.#decodeAnew(level, column, row)
    const { tileWidth = 1, tileHeight = 1 } = this.#tiles.levels[level] ?? {}
    this.#decoded.set(key, { tile }, { size: tileWidth * tileHeight * RGB })
    tile.catch(() => this.#decoded.delete(key))
    return tile
  }

  async #decodeAnew(level: number, column: number, row: number): Promise<DecodedTile> {
    const { tileWidth = 0, tileHeight = 0 } = this.#tiles.levels[level] ?? {}
    const stored = await this.#tiles.readTile(level, column, row)
    const complete = this.#complete.get(level)
    if (stored.length === 0 || complete === undefined) return { width: tileWidth, height: tileHeight, pixels: undefined }
    try {
      // A tile with an error in its scan is shown as far as it goes, as viewers do.
      const image = sharp(complete(stored), { failOn: 'none', limitInputPixels: tileWidth * tileHeight })
      const { data, info } = await image.toColourspace('srgb').removeAlpha().raw().toBuffer({ resolveWithObject: true })
      return { width: info.width, height: info.height, pixels: data }
    } catch (cause) {
      throw new RelayFault('bad_slide', 'a tile that cannot be decoded', { cause })
    }
  }
}

/** @param to - Of the tile's corner in the block; may be negative. */
function paste({ width, height, pixels }: DecodedTile, size: { readonly width: number; readonly height: number }, to: { readonly x: number; readonly y: number }, block: Uint8Array): void {
  if (pixels === undefined) return
  const from = Math.max(0, -to.x)
  const end = Math.min(width, size.width, BLOCK_SIDE - to.x)
  if (end <= from) return
  for (let line = Math.max(0, -to.y); line < Math.min(height, size.height, BLOCK_SIDE - to.y); line++) {
    block.set(pixels.subarray((line * width + from) * RGB, (line * width + end) * RGB), ((line + to.y) * BLOCK_SIDE + from + to.x) * RGB)
  }
}

/** RGB to Y'CbCr of limited range, chroma as the mean of two by two. @see Rec. ITU-R BT.709-6 items 3.2, 3.3 and 5.1 */
function toI420(rgb: Uint8Array): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES)
  const stride = BLOCK_SIDE * RGB
  const luma = (at: number): number => (0.2126 * (rgb[at] ?? 0) + 0.7152 * (rgb[at + 1] ?? 0) + 0.0722 * (rgb[at + 2] ?? 0)) * (219 / 255)
  let [cb, cr] = [BLOCK_SIDE * BLOCK_SIDE, (BLOCK_SIDE * BLOCK_SIDE * 5) / 4]
  for (let y = 0; y < BLOCK_SIDE; y += 2) {
    for (let x = 0; x < BLOCK_SIDE; x += 2) {
      const at = y * stride + x * RGB
      const values = [luma(at), luma(at + RGB), luma(at + stride), luma(at + stride + RGB)] as const
      const place = y * BLOCK_SIDE + x
      block[place] = 16.5 + values[0]
      block[place + 1] = 16.5 + values[1]
      block[place + BLOCK_SIDE] = 16.5 + values[2]
      block[place + BLOCK_SIDE + 1] = 16.5 + values[3]
      const mean = (values[0] + values[1] + values[2] + values[3]) * (255 / 219 / 4)
      const red = (rgb[at] ?? 0) + (rgb[at + RGB] ?? 0) + (rgb[at + stride] ?? 0) + (rgb[at + stride + RGB] ?? 0)
      const blue = (rgb[at + 2] ?? 0) + (rgb[at + RGB + 2] ?? 0) + (rgb[at + stride + 2] ?? 0) + (rgb[at + stride + RGB + 2] ?? 0)
      block[cb++] = 128.5 + (224 / 255 / 1.8556) * (blue / 4 - mean)
      block[cr++] = 128.5 + (224 / 255 / 1.5748) * (red / 4 - mean)
    }
  }
  return block
}

/** Lays a finer block, halved, into a quarter of a coarser one. */
function halveInto(finer: Uint8Array, column: number, row: number, block: Uint8Array): void {
  let at = 0
  for (const side of [BLOCK_SIDE, BLOCK_SIDE / 2, BLOCK_SIDE / 2]) {
    const half = side / 2
    for (let y = 0; y < half; y++) {
      let to = at + (row * half + y) * side + column * half
      for (let above = at + 2 * y * side; above < at + (2 * y + 1) * side; above += 2) {
        const below = above + side
        block[to++] = ((finer[above] ?? 0) + (finer[above + 1] ?? 0) + (finer[below] ?? 0) + (finer[below + 1] ?? 0) + 2) >> 2
      }
    }
    at += side * side
  }
}
