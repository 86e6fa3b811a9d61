import { CELL_BLACK, CELL_BLOCK, CELL_CODE_COLUMNS, CELL_CODE_ROWS, CELL_CODE_X, CELL_CODE_Y, CELL_GROUND, CELL_HEIGHT, CELL_LINE, CELL_WHITE, CELL_WIDTH, encodeCell } from './calibration-layout.ts'
import { drawText } from './pattern-glyphs.ts'
import { blankPicture } from './specimen.ts'
import type { CalibrationCell } from './calibration-layout.ts'
import type { I420Picture } from './specimen.ts'

const TEXT_SCALE = 5
const TEXT_Y = CELL_CODE_Y + CELL_BLOCK * CELL_CODE_ROWS + 14

/**
 * Draws a calibration slide: every cell says its column and row, to people in digits and to programs
 * as a strip of black and white blocks between reference lines.
 *
 * @param width - A multiple of {@link CELL_WIDTH}.
 * @param height - A multiple of {@link CELL_HEIGHT}.
 */
export function drawCalibrationSlide(width: number, height: number): I420Picture {
  const slide = blankPicture(width, height)
  slide.luma.fill(CELL_GROUND)
  slide.cb.fill(128)
  slide.cr.fill(128)
  for (let row = 0; row < height / CELL_HEIGHT; row++) {
    for (let column = 0; column < width / CELL_WIDTH; column++) drawCell(slide, { column, row })
  }
  return slide
}

function drawCell(slide: I420Picture, cell: CalibrationCell): void {
  const [left, top] = [cell.column * CELL_WIDTH, cell.row * CELL_HEIGHT]
  const fill = (x: number, y: number, width: number, height: number, luma: number): void => {
    for (let line = top + y; line < top + y + height; line++) slide.luma.fill(luma, line * slide.width + left + x, line * slide.width + left + x + width)
  }
  fill(0, 0, CELL_WIDTH, CELL_LINE, CELL_WHITE)
  fill(0, 0, CELL_LINE, CELL_HEIGHT, CELL_WHITE)
  for (const [index, bit] of encodeCell(cell).entries()) {
    const x = CELL_CODE_X + (index % CELL_CODE_COLUMNS) * CELL_BLOCK
    const y = CELL_CODE_Y + Math.floor(index / CELL_CODE_COLUMNS) * CELL_BLOCK
    fill(x, y, CELL_BLOCK, CELL_BLOCK, bit ? CELL_WHITE : CELL_BLACK)
  }
  drawText(`C${cell.column} R${cell.row}`, (x, y) => fill(CELL_CODE_X + x * TEXT_SCALE, TEXT_Y + y * TEXT_SCALE, TEXT_SCALE, TEXT_SCALE, CELL_BLACK))
  tint(slide, left, top, cell)
}

/** A colour of its own for every neighbour, so that the wrong one is seen at a glance. */
function tint(slide: I420Picture, left: number, top: number, { column, row }: CalibrationCell): void {
  for (let y = top / 2; y < (top + CELL_HEIGHT) / 2; y++) {
    const start = (y * slide.width + left) / 2
    slide.cb.fill(128 + ((column % 5) - 2) * 8, start, start + CELL_WIDTH / 2)
    slide.cr.fill(128 + ((row % 5) - 2) * 8, start, start + CELL_WIDTH / 2)
  }
}
