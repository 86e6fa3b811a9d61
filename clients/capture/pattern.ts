import { gridPositions, tileRegion } from '../../relay/wire/pyramid.ts'
import { CODE_BITS, decodeTileCode, encodeTileCode } from './pattern-code.ts'
import { drawText } from './pattern-glyphs.ts'
import { BLACK, CODE_BLOCK_PIXELS, COLOUR_PATCHES, FILL_LUMA, LINE_INSET_PIXELS, LINE_WIDTH_PIXELS, patternLayout, WHITE } from './pattern-layout.ts'
import type { ImageRect } from '../../relay/wire/pyramid.ts'
import type { TileCode } from './pattern-code.ts'
import type { PatternLayout, TileArea } from './pattern-layout.ts'

/** The size of the card and how it is cut. */
export interface PatternGrid {
  readonly width: number
  readonly height: number
  readonly columns: number
  readonly rows: number
}

/** Y'CbCr, eight bits, limited range. */
type Colour = readonly [y: number, cb: number, cr: number]

/** sRGB code values to Y'CbCr, as an ordinary video encoder treats them. @see Rec. ITU-R BT.709-6 items 3.2, 3.3, 5.1 */
export function toBt709([red, green, blue]: readonly [number, number, number]): Colour {
  const luma = (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
  return [
    Math.round(16 + 219 * luma),
    Math.round(128 + (224 * (blue / 255 - luma)) / 1.8556),
    Math.round(128 + (224 * (red / 255 - luma)) / 1.5748),
  ]
}

/** The fill of one tile: two lumas in a checkerboard, and a tint of its own. */
export function tileFill(column: number, row: number): Colour {
  return [FILL_LUMA[(column + row) % 2 === 0 ? 0 : 1], 128 + (column - 3) * 5, 128 + (row - 3) * 5]
}

/** One 4:2:0 picture: three planes in one buffer, as ffmpeg's `rawvideo` has it. */
class Canvas {
  readonly pixels: Buffer
  readonly #width: number
  readonly #chromaAt: readonly [number, number]

  constructor(width: number, height: number) {
    this.#width = width
    this.pixels = Buffer.alloc((width * height * 3) / 2)
    this.#chromaAt = [width * height, (width * height * 5) / 4]
  }

  fillLuma(x: number, y: number, width: number, height: number, luma: number): void {
    for (let line = y; line < y + height; line++) {
      const start = line * this.#width + x
      this.pixels.fill(luma, start, start + width)
    }
  }

  /** Even coordinates and sizes only. */
  fill(x: number, y: number, width: number, height: number, [luma, ...chroma]: Colour): void {
    this.fillLuma(x, y, width, height, luma)
    for (const [plane, at] of this.#chromaAt.entries()) {
      for (let line = y / 2; line < (y + height) / 2; line++) {
        const start = at + (line * this.#width) / 2 + x / 2
        this.pixels.fill(chroma[plane] ?? 128, start, start + width / 2)
      }
    }
  }
}

interface CardTile {
  readonly column: number
  readonly row: number
  readonly region: ImageRect
  readonly layout: PatternLayout
}

/**
 * The test card: every tile shows its coordinates and the frame number, to people in digits and to
 * programs as a strip of black and white blocks.
 *
 * The card is drawn once; a frame draws only the lines of pixels that hold strips and digits.
 */
export class PatternCard {
  readonly grid: PatternGrid
  readonly #canvas: Canvas
  readonly #tiles: readonly CardTile[]

  /** @throws {RelayFault} `bad_config` when the tiles are too small to carry their code. */
  constructor(grid: PatternGrid) {
    this.grid = grid
    this.#canvas = new Canvas(grid.width, grid.height)
    this.#tiles = Array.from(gridPositions(grid), ({ column, row }) => {
      const region = tileRegion(grid, column, row)
      return { column, row, region, layout: patternLayout(region) }
    })
    for (const tile of this.#tiles) this.#drawStatic(tile)
  }

  /** Size of one frame: a luma plane and two of chroma at half the resolution. */
  get frameBytes(): number {
    return this.#canvas.pixels.length
  }

  /**
   * Draws one frame over the one before it.
   *
   * @returns The card's own pixels, I420, BT.709, limited range; the next call changes them.
   */
  draw(frameNumber: number): Buffer {
    for (const tile of this.#tiles) {
      this.#drawCode(tile, frameNumber)
      this.#drawLabel(tile, frameNumber)
    }
    return this.#canvas.pixels
  }

  #drawStatic({ column, row, region: { x, y, width, height }, layout }: CardTile): void {
    this.#canvas.fill(x, y, width, height, tileFill(column, row))
    const right = x + width - LINE_INSET_PIXELS - LINE_WIDTH_PIXELS
    const bottom = y + height - LINE_INSET_PIXELS - LINE_WIDTH_PIXELS
    for (const line of [x + LINE_INSET_PIXELS, right]) this.#canvas.fillLuma(line, y, LINE_WIDTH_PIXELS, height, WHITE)
    for (const line of [y + LINE_INSET_PIXELS, bottom]) this.#canvas.fillLuma(x, line, width, LINE_WIDTH_PIXELS, WHITE)
    for (const [index, patch] of layout.patches.entries()) {
      const rgb = COLOUR_PATCHES[index]
      if (rgb !== undefined) this.#canvas.fill(x + patch.x, y + patch.y, patch.width, patch.height, toBt709(rgb))
    }
  }

  #drawCode({ column, row, region, layout }: CardTile, frameNumber: number): void {
    for (const [index, bit] of encodeTileCode({ column, row, frameNumber: frameNumber & 0xffff }).entries()) {
      const block = codeBlock(layout, index)
      this.#canvas.fillLuma(region.x + block.x, region.y + block.y, block.width, block.height, bit ? WHITE : BLACK)
    }
  }

  #drawLabel({ column, row, region, layout }: CardTile, frameNumber: number): void {
    const { text, textScale } = layout
    const [background] = tileFill(column, row)
    this.#canvas.fillLuma(region.x + text.x, region.y + text.y, text.width, text.height, background)
    drawText(`C${column} R${row} #${frameNumber & 0xffff}`, (x, y) => {
      this.#canvas.fillLuma(region.x + text.x + x * textScale, region.y + text.y + y * textScale, textScale, textScale, BLACK)
    })
  }
}

function codeBlock(layout: PatternLayout, index: number): TileArea {
  return {
    x: layout.code.x + (index % layout.codeColumns) * CODE_BLOCK_PIXELS,
    y: layout.code.y + Math.floor(index / layout.codeColumns) * CODE_BLOCK_PIXELS,
    width: CODE_BLOCK_PIXELS,
    height: CODE_BLOCK_PIXELS,
  }
}

/** Pixels as a canvas hands them out: four bytes each, red first. */
export interface RgbaPixels {
  readonly data: Uint8Array | Uint8ClampedArray
  /** Pixels per line of `data`. */
  readonly width: number
  readonly height: number
}

/** Where a tile lies in {@link RgbaPixels}, at one image pixel per pixel. The origin may be outside, as long as the code strip is inside. */
export interface TilePlacement {
  readonly x: number
  readonly y: number
  /** The tile's own size, which decides the layout. */
  readonly tileWidth: number
  readonly tileHeight: number
}

/** A bit whose block is neither clearly black nor clearly white makes the strip unreadable. */
const CLEAR_BELOW = 96
const CLEAR_ABOVE = 160

/**
 * Reads the code strip of one tile of the test card from decoded pixels.
 *
 * @returns undefined when the strip is not all inside the pixels, not clear, or fails its CRC.
 */
export function readPatternTile(pixels: RgbaPixels, placement: TilePlacement): TileCode | undefined {
  const layout = patternLayout({ width: placement.tileWidth, height: placement.tileHeight })
  const bits: boolean[] = []
  for (let index = 0; index < CODE_BITS; index++) {
    const block = codeBlock(layout, index)
    const brightness = meanBrightness(pixels, placement.x + block.x, placement.y + block.y)
    if (brightness === undefined || (brightness > CLEAR_BELOW && brightness < CLEAR_ABOVE)) return undefined
    bits.push(brightness >= CLEAR_ABOVE)
  }
  return decodeTileCode(bits)
}

/** Mean of the inner half of a block, away from what its neighbours bleed into it. */
function meanBrightness(pixels: RgbaPixels, x: number, y: number): number | undefined {
  const inset = CODE_BLOCK_PIXELS / 4
  const side = CODE_BLOCK_PIXELS / 2
  if (x < 0 || y < 0 || x + CODE_BLOCK_PIXELS > pixels.width || y + CODE_BLOCK_PIXELS > pixels.height) return undefined
  let sum = 0
  for (let line = y + inset; line < y + inset + side; line++) {
    for (let column = x + inset; column < x + inset + side; column++) {
      const at = 4 * (line * pixels.width + column)
      sum += 0.2126 * (pixels.data[at] ?? 0) + 0.7152 * (pixels.data[at + 1] ?? 0) + 0.0722 * (pixels.data[at + 2] ?? 0)
    }
  }
  return sum / (side * side)
}
