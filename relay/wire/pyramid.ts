import { z } from 'zod'
import { RelayFault } from './fault.ts'
import { MAX_GRID, MAX_RENDITIONS, middleId, OVERVIEW, RenditionId, tileId, WHOLE } from './ids.ts'
import { bitsPerSecond } from './units.ts'
import type { BitsPerSecond } from './units.ts'

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
  /** Encoded size in pixels: equal to the region's for tiles, half of it for middle tiles, smaller for the overview. */
  width: evenPixels,
  height: evenPixels,
  /** The mean rate it is encoded at; what admitting it to a line is reckoned with. */
  bitsPerSecond: z.int().min(1).max(1e9),
})
export type Rendition = z.infer<typeof Rendition>

const gridLength = z.int().min(1).max(MAX_GRID)

/**
 * The live image as it is published: an overview, a grid of tiles at full resolution, optionally a
 * coarser grid of middle tiles at half resolution, and optionally the whole image in one stream. The
 * tiles of each grid cover the image exactly, without gap or overlap. An image that comes in one stream
 * alone has a grid of 0 × 0, and its overview is of full size.
 */
export const Pyramid = z
  .strictObject({
    width: evenPixels,
    height: evenPixels,
    framesPerSecond: z.number().gt(0).max(240),
    columns: gridLength.or(z.literal(0)),
    rows: gridLength.or(z.literal(0)),
    /** The grid of middle tiles, or null where there are none. */
    middle: z.strictObject({ columns: gridLength, rows: gridLength }).nullable(),
    renditions: z.array(Rendition).min(1).max(MAX_RENDITIONS),
    /** The lowest bit of every RTP timestamp says whether the image is coarse: see `coarse-mark.ts`. Absent where every image is as sharp as it is encoded. */
    marksCoarse: z.literal(true).optional(),
  })
  .superRefine((pyramid, context) => {
    // Refinements also see values that the fields' own checks have refused: nothing here may count up to them.
    if (!(isGrid(pyramid) || isUncut(pyramid)) || (pyramid.middle !== null && !isGrid(pyramid.middle))) {
      context.addIssue({ code: 'custom', message: 'that is no grid' })
      return
    }
    for (const message of pyramidFaults(pyramid)) context.addIssue({ code: 'custom', message })
  })
export type Pyramid = z.infer<typeof Pyramid>

interface Grid {
  readonly width: number
  readonly height: number
  readonly columns: number
  readonly rows: number
}

/** A grid of tiles, of either resolution, over the image of a pyramid. */
const gridOf = ({ width, height }: Pick<Pyramid, 'width' | 'height'>, { columns, rows }: Pick<Grid, 'columns' | 'rows'>): Grid => ({ width, height, columns, rows })

/** What is wrong with a pyramid whose grids are within bounds. */
function* pyramidFaults(pyramid: Pyramid): Generator<string> {
  const ids = new Set(pyramid.renditions.map(rendition => rendition.id))
  if (ids.size !== pyramid.renditions.length) yield 'two renditions have the same id'
  for (const rendition of pyramid.renditions) yield* renditionFaults(pyramid, rendition)
  const overview = pyramid.renditions.find(rendition => rendition.id === OVERVIEW)
  if (overview === undefined) yield 'there is no overview'
  else if (isUncut(pyramid) && (pyramid.middle !== null || overview.width !== pyramid.width || overview.height !== pyramid.height)) yield 'without tiles, the overview is the image'
  const expected = [...gridPositions(pyramid)].map(({ column, row }) => tileId(column, row))
  if (pyramid.middle !== null) expected.push(...[...gridPositions(pyramid.middle)].map(({ column, row }) => middleId(column, row)))
  for (const id of expected) if (!ids.has(id)) yield `${id} is missing`
}

function* renditionFaults(pyramid: Pyramid, rendition: Rendition): Generator<string> {
  const { id, region, width, height } = rendition
  const tile = tilePosition(id)
  const middle = middlePosition(id)
  const position = tile ?? middle
  const grid = tile === undefined ? pyramid.middle : pyramid
  if (position !== undefined && (grid === null || position.column >= grid.columns || position.row >= grid.rows)) {
    yield `${id} is outside the grid`
    return
  }
  const whole: ImageRect = { x: 0, y: 0, width: pyramid.width, height: pyramid.height }
  const expected = position === undefined || grid === null ? whole : tileRegion(gridOf(pyramid, grid), position.column, position.row)
  if (!sameRect(region, expected)) yield `${id} does not cover its region of the image`
  const isReduced = id === OVERVIEW || middle !== undefined
  if (!isReduced && (width !== region.width || height !== region.height)) yield `${id} is not encoded at full resolution`
  if (middle !== undefined && (width !== halved(region.width) || height !== halved(region.height))) yield `${id} is not encoded at half resolution`
  if (width > region.width || height > region.height) yield `${id} is larger than its region`
}

const isGridLength = (length: number): boolean => Number.isInteger(length) && length >= 1 && length <= MAX_GRID

/** Whether columns and rows are within bounds. */
const isGrid = ({ columns, rows }: Pick<Grid, 'columns' | 'rows'>): boolean => isGridLength(columns) && isGridLength(rows)

/** Whether the image comes in one stream alone. */
const isUncut = ({ columns, rows }: Pick<Grid, 'columns' | 'rows'>): boolean => columns === 0 && rows === 0

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

/** A place in a grid of tiles. */
export interface GridPosition {
  readonly column: number
  readonly row: number
}

const TILE_ID = /^tile-(\d)-(\d)$/
const MIDDLE_ID = /^middle-(\d)-(\d)$/

function positionIn(pattern: RegExp, id: RenditionId): GridPosition | undefined {
  const match = pattern.exec(id)
  return match === null ? undefined : { column: Number(match[1]), row: Number(match[2]) }
}

/** The position of a tile in the grid, or undefined when the rendition is not a tile at full resolution. */
export const tilePosition = (id: RenditionId): GridPosition | undefined => positionIn(TILE_ID, id)

/** The position of a middle tile in the middle grid, or undefined when the rendition is not one. */
export const middlePosition = (id: RenditionId): GridPosition | undefined => positionIn(MIDDLE_ID, id)

/** Half a length, as an even number of pixels. */
const halved = (length: number): number => 2 * Math.ceil(length / 4)

/** What stained tissue in motion takes as H.264, in bits per pixel and second. */
const TYPICAL_BITS_PER_PIXEL_SECOND = 2.5

/** The rate that a rendition is reckoned with where nobody says at which it is encoded. */
export const typicalBitrate = ({ width, height }: Pick<Rendition, 'width' | 'height'>): BitsPerSecond =>
  bitsPerSecond(width * height * TYPICAL_BITS_PER_PIXEL_SECOND)

/** What {@link planPyramid} needs to know of an image. */
export interface PyramidPlan extends Grid {
  readonly framesPerSecond: number
  /** Encoded width of the overview in pixels; its height follows from the image's shape. */
  readonly overviewWidth: number
  /** Also publish middle tiles at half resolution: the grid they form. */
  readonly middle?: { readonly columns: number; readonly rows: number } | undefined
  /** The mean rate at which a rendition will be encoded; {@link typicalBitrate} where it is not known. */
  readonly bitrateOf?: (rendition: Omit<Rendition, 'bitsPerSecond'>) => BitsPerSecond
  /** Also publish the whole image in one stream of this codec. */
  readonly whole?: RenditionCodec | undefined
}

/**
 * Lays out the renditions of an image: overview first, then tiles row by row, then middle tiles, then `whole`.
 *
 * @throws {RelayFault} `bad_config` when the image cannot be cut that way (odd size, tiles too small).
 */
export function planPyramid(plan: PyramidPlan): Pyramid {
  const region: ImageRect = { x: 0, y: 0, width: plan.width, height: plan.height }
  const overviewWidth = Math.min(plan.overviewWidth, plan.width)
  const overviewHeight = 2 * Math.round((overviewWidth * plan.height) / plan.width / 2)
  const { width, height, columns, rows, framesPerSecond, middle = null } = plan
  if (!isGrid(plan) || (middle !== null && !isGrid(middle))) {
    throw new RelayFault('bad_config', `a grid of ${columns}x${rows} tiles is outside 1x1 to ${MAX_GRID}x${MAX_GRID}`)
  }
  const layout: Omit<Rendition, 'bitsPerSecond'>[] = [{ id: OVERVIEW, codec: 'H264', region, width: overviewWidth, height: overviewHeight }]
  for (const { column, row } of gridPositions(plan)) {
    const tile = tileRegion(plan, column, row)
    layout.push({ id: tileId(column, row), codec: 'H264', region: tile, width: tile.width, height: tile.height })
  }
  for (const { column, row } of middle === null ? [] : gridPositions(middle)) {
    const tile = tileRegion(gridOf(plan, middle ?? plan), column, row)
    layout.push({ id: middleId(column, row), codec: 'H264', region: tile, width: halved(tile.width), height: halved(tile.height) })
  }
  if (plan.whole !== undefined) layout.push({ id: WHOLE, codec: plan.whole, region, width, height })
  const renditions = layout.map((rendition): Rendition => ({ ...rendition, bitsPerSecond: Math.round((plan.bitrateOf ?? typicalBitrate)(rendition)) }))
  const result = Pyramid.safeParse({ width, height, framesPerSecond, columns, rows, middle, renditions })
  if (!result.success) {
    throw new RelayFault('bad_config', `cannot cut ${width}x${height} into ${columns}x${rows}: ${z.prettifyError(result.error)}`)
  }
  return result.data
}

/** What {@link planUncut} needs to know of an image. */
export interface UncutPlan {
  readonly width: number
  readonly height: number
  readonly framesPerSecond: number
  readonly codec: RenditionCodec
}

/**
 * The pyramid of an image that comes in one stream: its overview, at full size.
 *
 * @throws {RelayFault} `unsupported_media` for a size that no pyramid has: odd, or above 16,384 pixels.
 */
export function planUncut({ width, height, framesPerSecond, codec }: UncutPlan): Pyramid {
  const overview = { id: OVERVIEW, codec, region: { x: 0, y: 0, width, height }, width, height, bitsPerSecond: Math.round(typicalBitrate({ width, height })) }
  const result = Pyramid.safeParse({ width, height, framesPerSecond, columns: 0, rows: 0, middle: null, renditions: [overview] })
  if (!result.success) throw new RelayFault('unsupported_media', 'an image of that size cannot be shown', { cause: result.error })
  return result.data
}
