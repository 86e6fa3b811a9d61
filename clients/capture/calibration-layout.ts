import { CODE_BITS, decodeTileCode, encodeTileCode } from './pattern-code.ts'

/** The calibration slide is a lattice of cells of this size, in pixels: any 640x400 hold at least one whole cell. */
export const CELL_WIDTH = 320
export const CELL_HEIGHT = 192
/** Width of the reference lines along the left and upper border of every cell. */
export const CELL_LINE = 4

/** The code of a cell: blocks of this size, row by row, from this corner of the cell on. */
export const CELL_BLOCK = 24
export const CELL_CODE_X = 40
export const CELL_CODE_Y = 28
export const CELL_CODE_COLUMNS = 10
export const CELL_CODE_ROWS = CODE_BITS / CELL_CODE_COLUMNS

/** Luma of lines, dark and bright blocks, and of the ground between them. */
export const CELL_WHITE = 235
export const CELL_BLACK = 16
export const CELL_GROUND = 120

/** Which cell of the lattice. */
export interface CalibrationCell {
  readonly column: number
  readonly row: number
}

/** The bits of a cell's code: those of a test card tile, with the coordinates spread over its three fields. */
export const encodeCell = ({ column, row }: CalibrationCell): readonly boolean[] =>
  encodeTileCode({ column: column & 15, row: row & 15, frameNumber: ((column >> 4) << 8) | (row >> 4) })

/** Reads a code back; undefined when it is none, or damaged. */
export function decodeCell(bits: readonly boolean[]): CalibrationCell | undefined {
  const code = decodeTileCode(bits)
  if (code === undefined) return undefined
  return { column: code.column | ((code.frameNumber >> 8) << 4), row: code.row | ((code.frameNumber & 0xff) << 4) }
}
