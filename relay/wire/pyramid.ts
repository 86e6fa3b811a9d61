import { z } from 'zod'
import { RelayFault } from './fault.ts'
import { MAX_GRID, OVERVIEW, RenditionId, tileId, WHOLE } from './ids.ts'

const evenPixels = z.int().min(2).max(16_384).multipleOf(2)

/** A region of the image, in image pixels. Even, because 4:2:0 chroma has half the resolution. */
export const ImageRect = z.strictObject({
  x: z.int().min(0).max(16_384).multipleOf(2),
  y: z.int().min(0).max(16_384).multipleOf(2),
  width: evenPixels,
  height: evenPixels,
})
export type ImageRect = z.infer<typeof ImageRect>

/** The codecs a rendition may have; tiles and overview are H264, `whole` may be VP9. */
export const RENDITION_CODECS = ['H264', 'VP9'] as const
export type RenditionCodec = (typeof RENDITION_CODECS)[number]

/** One encoded version of the live image, or of one region of it. */
export const Rendition = z.strictObject({
  id: RenditionId,
  codec: z.enum(RENDITION_CODECS),
  /** The region it shows. */
  region: ImageRect,
  /** Encoded size in pixels: equal to the region's for tiles, smaller for the overview. */
  width: evenPixels,
  height: evenPixels,
})
export type Rendition = z.infer<typeof Rendition>

/**
 * The live image as it is published: an overview, a grid of tiles at full resolution, optionally the
 * whole image in one stream. The tiles cover the image exactly, without gap or overlap.
 */
export const Pyramid = z
  .strictObject({
    width: evenPixels,
    height: evenPixels,
    framesPerSecond: z.number().gt(0).max(240),
    columns: z.int().min(1).max(MAX_GRID),
    rows: z.int().min(1).max(MAX_GRID),
    renditions: z.array(Rendition).min(2).max(MAX_GRID * MAX_GRID + 2),
  })
  .superRefine((pyramid, context) => {
    // Refinements also see values that the fields' own checks have refused: nothing here may count up to them.
    if (!isGrid(pyramid)) return
    const fault = (message: string): void => {
      context.addIssue({ code: 'custom', message })
    }
    const ids = new Set(pyramid.renditions.map(rendition => rendition.id))
    if (ids.size !== pyramid.renditions.length) fault('two renditions have the same id')
    const full: ImageRect = { x: 0, y: 0, width: pyramid.width, height: pyramid.height }
    for (const rendition of pyramid.renditions) {
      const tile = tilePosition(rendition.id)
      const expected = tile === undefined ? full : tileRegion(pyramid, tile.column, tile.row)
      if (tile !== undefined && (tile.column >= pyramid.columns || tile.row >= pyramid.rows)) {
        fault(`${rendition.id} is outside the grid`)
      } else if (!sameRect(rendition.region, expected)) {
        fault(`${rendition.id} does not cover its region of the image`)
      }
      const isNative = rendition.width === rendition.region.width && rendition.height === rendition.region.height
      if (rendition.id !== OVERVIEW && !isNative) fault(`${rendition.id} is not encoded at full resolution`)
      if (rendition.width > rendition.region.width || rendition.height > rendition.region.height) fault(`${rendition.id} is larger than its region`)
    }
    if (!ids.has(OVERVIEW)) fault('there is no overview')
    for (const { column, row } of gridPositions(pyramid)) {
      if (!ids.has(tileId(column, row))) fault(`${tileId(column, row)} is missing`)
    }
  })
export type Pyramid = z.infer<typeof Pyramid>

interface Grid {
  readonly width: number
  readonly height: number
  readonly columns: number
  readonly rows: number
}

const isGridLength = (length: number): boolean => Number.isInteger(length) && length >= 1 && length <= MAX_GRID

/** Whether columns and rows are within bounds. */
const isGrid = ({ columns, rows }: Pick<Grid, 'columns' | 'rows'>): boolean => isGridLength(columns) && isGridLength(rows)

const sameRect = (a: ImageRect, b: ImageRect): boolean =>
  a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height

/** Border `index` of `parts` equal parts of `length`, rounded down to an even pixel. */
const evenBorder = (length: number, parts: number, index: number): number =>
  index === parts ? length : 2 * Math.floor((length * index) / parts / 2)

/** The region of one tile, in image pixels. Neighbours share their border exactly. */
export function tileRegion(grid: Grid, column: number, row: number): ImageRect {
  const x = evenBorder(grid.width, grid.columns, column)
  const y = evenBorder(grid.height, grid.rows, row)
  return {
    x,
    y,
    width: evenBorder(grid.width, grid.columns, column + 1) - x,
    height: evenBorder(grid.height, grid.rows, row + 1) - y,
  }
}

/** Every position of the grid, row by row. */
export function* gridPositions(grid: Pick<Grid, 'columns' | 'rows'>): Generator<{ column: number; row: number }> {
  for (let row = 0; row < grid.rows; row++) {
    for (let column = 0; column < grid.columns; column++) yield { column, row }
  }
}

/** The position of a tile in the grid, or undefined when the rendition is not a tile. */
export function tilePosition(id: RenditionId): { readonly column: number; readonly row: number } | undefined {
  const match = /^tile-(\d)-(\d)$/.exec(id)
  return match === null ? undefined : { column: Number(match[1]), row: Number(match[2]) }
}

/** What {@link planPyramid} needs to know of an image. */
export interface PyramidPlan extends Grid {
  readonly framesPerSecond: number
  /** Encoded width of the overview in pixels; its height follows from the image's shape. */
  readonly overviewWidth: number
  /** Also publish the whole image in one stream of this codec. */
  readonly whole?: RenditionCodec | undefined
}

/**
 * Lays out the renditions of an image: overview first, then tiles row by row, then `whole`.
 *
 * @throws {RelayFault} `bad_config` when the image cannot be cut that way (odd size, tiles too small).
 */
export function planPyramid(plan: PyramidPlan): Pyramid {
  const region: ImageRect = { x: 0, y: 0, width: plan.width, height: plan.height }
  const overviewWidth = Math.min(plan.overviewWidth, plan.width)
  const overviewHeight = 2 * Math.round((overviewWidth * plan.height) / plan.width / 2)
  const { width, height, columns, rows, framesPerSecond } = plan
  if (!isGrid(plan)) {
    throw new RelayFault('bad_config', `a grid of ${columns}x${rows} tiles is outside 1x1 to ${MAX_GRID}x${MAX_GRID}`)
  }
  const renditions: Rendition[] = [
    { id: OVERVIEW, codec: 'H264', region, width: overviewWidth, height: overviewHeight },
  ]
  for (const { column, row } of gridPositions(plan)) {
    const tile = tileRegion(plan, column, row)
    renditions.push({ id: tileId(column, row), codec: 'H264', region: tile, width: tile.width, height: tile.height })
  }
  if (plan.whole !== undefined) renditions.push({ id: WHOLE, codec: plan.whole, region, width, height })
  const result = Pyramid.safeParse({ width, height, framesPerSecond, columns, rows, renditions })
  if (!result.success) {
    throw new RelayFault('bad_config', `cannot cut ${width}x${height} into ${columns}x${rows}: ${z.prettifyError(result.error)}`)
  }
  return result.data
}
