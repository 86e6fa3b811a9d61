import { RelayFault } from '../../relay/wire/fault.ts'
import { CODE_BITS } from './pattern-code.ts'
import { GLYPH_HEIGHT, textWidth } from './pattern-glyphs.ts'
import type { ImageRect } from '../../relay/wire/pyramid.ts'

/** Side of one block of the code strip, in image pixels: a macroblock of H.264. */
export const CODE_BLOCK_PIXELS = 16
/** Where the strip begins in its tile: on the macroblock grid. */
export const CODE_MARGIN_PIXELS = 16
/** Distance of the reference lines from the borders of their tile, and their width. */
export const LINE_INSET_PIXELS = 8
export const LINE_WIDTH_PIXELS = 2

/** Luma of code blocks, text and lines: black and white of limited range. @see Rec. ITU-R BT.709-6 item 5.1 */
export const BLACK = 16
export const WHITE = 235

/** Luma of the two fills of the checkerboard, for even and odd column + row. */
export const FILL_LUMA = [100, 160] as const

/** The classic 24-patch colour chart, sRGB, row by row. @see "RGB coordinates of the Macbeth ColorChecker", D. Pascale, 2006 */
export const COLOUR_PATCHES: readonly (readonly [number, number, number])[] = [
  [115, 82, 68], [194, 150, 130], [98, 122, 157], [87, 108, 67], [133, 128, 177], [103, 189, 170],
  [214, 126, 44], [80, 91, 166], [193, 90, 99], [94, 60, 108], [157, 188, 64], [224, 163, 46],
  [56, 61, 150], [70, 148, 73], [175, 54, 60], [231, 199, 31], [187, 86, 149], [8, 133, 161],
  [243, 243, 242], [200, 200, 200], [160, 160, 160], [122, 122, 121], [85, 85, 85], [52, 52, 52],
]
const PATCH_COLUMNS = 6
const PATCH_ROWS = 4

/** A rectangle inside a tile, in pixels from the tile's top left corner. */
export interface TileArea {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Where everything on one tile of the test card is. A pure function of the tile's size. */
export interface PatternLayout {
  /** Blocks per line of the strip; the strip wraps where a tile is too narrow for 40. */
  readonly codeColumns: number
  readonly code: TileArea
  readonly text: TileArea
  /** Side of one text dot in pixels. */
  readonly textScale: number
  /** One per entry of {@link COLOUR_PATCHES}; empty where a tile has no room. */
  readonly patches: readonly TileArea[]
}

/** The longest text on a tile: column, row and a frame number below 65,536. */
const LONGEST_TEXT = 'C7 R7 #65535'

/**
 * Lays out one tile.
 *
 * @throws {RelayFault} `bad_config` when the tile is too small to carry its code.
 */
export function patternLayout(tile: Pick<ImageRect, 'width' | 'height'>): PatternLayout {
  const room = tile.width - 2 * CODE_MARGIN_PIXELS
  const codeColumns = Math.min(CODE_BITS, 8 * Math.floor(room / CODE_BLOCK_PIXELS / 8))
  const codeRows = Math.ceil(CODE_BITS / Math.max(codeColumns, 1))
  const code: TileArea = {
    x: CODE_MARGIN_PIXELS,
    y: CODE_MARGIN_PIXELS,
    width: codeColumns * CODE_BLOCK_PIXELS,
    height: codeRows * CODE_BLOCK_PIXELS,
  }
  if (codeColumns < 8 || code.y + code.height + CODE_MARGIN_PIXELS > tile.height) {
    throw new RelayFault('bad_config', `a test card tile of ${tile.width}x${tile.height} cannot carry its code; use fewer columns and rows`)
  }
  const textScale = Math.max(1, Math.floor(Math.min(room / textWidth(LONGEST_TEXT), tile.height / 10 / GLYPH_HEIGHT)))
  const text: TileArea = {
    x: CODE_MARGIN_PIXELS,
    y: Math.min(code.y + code.height + 8, tile.height - CODE_MARGIN_PIXELS - GLYPH_HEIGHT * textScale),
    width: textWidth(LONGEST_TEXT) * textScale,
    height: GLYPH_HEIGHT * textScale,
  }
  return { codeColumns, code, text, textScale, patches: layOutPatches(tile, text.y + text.height + 8) }
}

function layOutPatches(tile: Pick<ImageRect, 'width' | 'height'>, top: number): readonly TileArea[] {
  const bottom = tile.height - CODE_MARGIN_PIXELS
  const fit = Math.min((tile.width - 2 * CODE_MARGIN_PIXELS) / PATCH_COLUMNS, (bottom - top) / PATCH_ROWS)
  const side = Math.min(64, 16 * Math.floor(fit / 16))
  if (side < 16) return []
  const left = 2 * Math.floor((tile.width - side * PATCH_COLUMNS) / 4)
  const first = 2 * Math.floor(Math.max(top, (top + bottom - side * PATCH_ROWS) / 2) / 2)
  return COLOUR_PATCHES.map((_, index) => ({
    x: left + (index % PATCH_COLUMNS) * side,
    y: first + Math.floor(index / PATCH_COLUMNS) * side,
    width: side,
    height: side,
  }))
}
