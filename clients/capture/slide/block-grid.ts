import type { SpecimenView } from '../specimen.ts'

/** Side of a block, in pixels; a multiple of 4, so that its chroma and that of its halving are whole. */
export const BLOCK_SIDE = 256
/** I420. */
export const BLOCK_BYTES = (BLOCK_SIDE * BLOCK_SIDE * 3) / 2

/** A square of a slide at one resolution: level 0 is the slide's own, each further level half of it. */
export interface BlockAddress {
  readonly level: number
  readonly column: number
  readonly row: number
}

/** At level 0, in pixels. */
export interface SlideSize {
  readonly width: number
  readonly height: number
}

/** How far a slide goes. */
export interface SlideExtent extends SlideSize {
  /** The coarsest level that is ever drawn. */
  readonly coarsest: number
}

/** A name for each block. */
export const blockKey = ({ level, column, row }: BlockAddress): string => `${level}/${column}/${row}`

/** How many columns and rows of blocks a level has. */
export function gridOf({ width, height }: SlideSize, level: number): { readonly columns: number; readonly rows: number } {
  const count = (side: number): number => Math.ceil(Math.ceil(side / 2 ** level) / BLOCK_SIDE)
  return { columns: count(width), rows: count(height) }
}

/** The level whose pixels a view is drawn from. */
export const sourceLevel = ({ level, detail }: SpecimenView, { coarsest }: SlideExtent): number => Math.max(level, Math.min(coarsest, detail))

/** All blocks of a level. */
export function blocksOfLevel(extent: SlideExtent, level: number): BlockAddress[] {
  const { columns, rows } = gridOf(extent, level)
  return blocksBetween(extent, level, { left: 0, top: 0, right: columns - 1, bottom: rows - 1 })
}

/** Blocks that a view touches, its middle first. */
export function blocksOfView(view: SpecimenView, extent: SlideExtent, around = 0): BlockAddress[] {
  const level = sourceLevel(view, extent)
  const shrink = 2 ** (level - view.level)
  // Enlarging looks one pixel further on each side.
  const margin = shrink === 1 ? 0 : 1
  const block = (pixel: number): number => Math.floor(pixel / BLOCK_SIDE)
  const left = Math.floor(view.x / shrink) - margin
  const top = Math.floor(view.y / shrink) - margin
  const right = Math.floor((view.x + view.width - 1) / shrink) + margin
  const bottom = Math.floor((view.y + view.height - 1) / shrink) + margin
  const blocks = blocksBetween(extent, level, { left: block(left) - around, top: block(top) - around, right: block(right) + around, bottom: block(bottom) + around })
  const middle = { column: (left + right) / 2 / BLOCK_SIDE - 0.5, row: (top + bottom) / 2 / BLOCK_SIDE - 0.5 }
  const distance = ({ column, row }: BlockAddress): number => Math.hypot(column - middle.column, row - middle.row)
  return blocks.sort((a, b) => distance(a) - distance(b))
}

interface BlockRange {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** Those of a range that are on the slide. */
function blocksBetween(extent: SlideExtent, level: number, { left, top, right, bottom }: BlockRange): BlockAddress[] {
  const { columns, rows } = gridOf(extent, level)
  const blocks: BlockAddress[] = []
  for (let row = Math.max(0, top); row <= Math.min(rows - 1, bottom); row++) {
    for (let column = Math.max(0, left); column <= Math.min(columns - 1, right); column++) blocks.push({ level, column, row })
  }
  return blocks
}
