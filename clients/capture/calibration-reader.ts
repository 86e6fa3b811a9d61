import { CELL_BLOCK, CELL_CODE_COLUMNS, CELL_CODE_X, CELL_CODE_Y, CELL_HEIGHT, CELL_LINE, CELL_WIDTH, decodeCell } from './calibration-layout.ts'
import { CODE_BITS } from './pattern-code.ts'

/** A position on a slide, in pixels of its full resolution. */
export interface SlidePosition {
  readonly x: number
  readonly y: number
}

/** A bit whose block is neither clearly black nor clearly white makes a code unreadable. */
const CLEAR_BELOW = 90
const CLEAR_ABOVE = 165
/** Reference lines stand out by this much luma from what is beside them. */
const LEAST_CONTRAST = 50

/**
 * Reads from the pixels of a view which point of a calibration slide is its top left pixel.
 *
 * The reference lines give the position within a cell to the pixel, the codes say which cell. A view
 * of 640x400 pixels always holds a whole cell.
 *
 * @param luma - One byte per pixel, limited range, `width` to a line.
 * @param shrink - Slide pixels per pixel of the view: 1, 2 or 4.
 * @returns The position, modulo the slide, in pixels of the slide's full resolution and exact to `shrink`
 *   of them; undefined when no whole cell can be read.
 */
export function readSlidePosition(luma: Uint8Array, width: number, height: number, shrink: 1 | 2 | 4 = 1): SlidePosition | undefined {
  const [cellWidth, cellHeight] = [CELL_WIDTH / shrink, CELL_HEIGHT / shrink]
  const line = CELL_LINE / shrink
  const left = linePhase(columnMeans(luma, width, height), cellWidth, line)
  const top = linePhase(rowMeans(luma, width, height), cellHeight, line)
  if (left === undefined || top === undefined) return undefined
  const votes = new Map<string, { readonly position: SlidePosition; count: number }>()
  for (let y = top; y + cellHeight <= height; y += cellHeight) {
    for (let x = left; x + cellWidth <= width; x += cellWidth) {
      const cell = decodeCell(readBits(luma, width, x, y, shrink))
      if (cell === undefined) continue
      const position = { x: (cell.column * cellWidth - x) * shrink, y: (cell.row * cellHeight - y) * shrink }
      const vote = votes.get(`${position.x},${position.y}`) ?? { position, count: 0 }
      vote.count++
      votes.set(`${position.x},${position.y}`, vote)
    }
  }
  return agreed([...votes.values()])
}

/** What most cells say. Where the slide repeats, cells beyond the seam say another number for the same point. */
function agreed(votes: readonly { readonly position: SlidePosition; readonly count: number }[]): SlidePosition | undefined {
  return [...votes].sort((a, b) => b.count - a.count || b.position.x - a.position.x || b.position.y - a.position.y)[0]?.position
}

function columnMeans(luma: Uint8Array, width: number, height: number): Float64Array {
  const means = new Float64Array(width)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) means[x] = (means[x] ?? 0) + (luma[y * width + x] ?? 0) / height
  return means
}

function rowMeans(luma: Uint8Array, width: number, height: number): Float64Array {
  const means = new Float64Array(height)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) means[y] = (means[y] ?? 0) + (luma[y * width + x] ?? 0) / width
  return means
}

/** Where the first line of `line` pixels begins in a profile of lines `period` apart. */
function linePhase(profile: Float64Array, period: number, line: number): number | undefined {
  if (profile.length < period + 3 * line) return undefined
  let best: { readonly phase: number; readonly contrast: number } | undefined
  for (let phase = 0; phase < period; phase++) {
    let contrast = 0
    let lines = 0
    for (let at = phase; at + 2 * line <= profile.length; at += period) {
      if (at < line) continue
      let sum = 0
      for (let offset = 0; offset < line; offset++) sum += (profile[at + offset] ?? 0) - Math.max(profile[at + offset - line] ?? 0, profile[at + offset + line] ?? 0)
      contrast += sum / line
      lines++
    }
    if (lines > 0 && (best === undefined || contrast / lines > best.contrast)) best = { phase, contrast: contrast / lines }
  }
  return best === undefined || best.contrast < LEAST_CONTRAST ? undefined : best.phase
}

function readBits(luma: Uint8Array, width: number, left: number, top: number, shrink: number): readonly boolean[] {
  const bits: boolean[] = []
  const block = CELL_BLOCK / shrink
  for (let index = 0; index < CODE_BITS; index++) {
    const x = left + CELL_CODE_X / shrink + (index % CELL_CODE_COLUMNS) * block
    const y = top + CELL_CODE_Y / shrink + Math.floor(index / CELL_CODE_COLUMNS) * block
    const brightness = innerMean(luma, width, x, y, block)
    if (brightness > CLEAR_BELOW && brightness < CLEAR_ABOVE) return []
    bits.push(brightness >= CLEAR_ABOVE)
  }
  return bits
}

/** Mean of the inner third of a block, away from what its neighbours bleed into it. */
function innerMean(luma: Uint8Array, width: number, x: number, y: number, block: number): number {
  const inset = block / 3
  let sum = 0
  for (let line = y + inset; line < y + 2 * inset; line++) for (let column = x + inset; column < x + 2 * inset; column++) sum += luma[line * width + column] ?? 0
  return sum / inset ** 2
}
