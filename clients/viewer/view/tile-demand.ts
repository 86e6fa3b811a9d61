import { OVERVIEW, WHOLE } from '../../../relay/wire/ids.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import { middlePosition, tilePosition } from '../../../relay/wire/pyramid.ts'
import type { GridPosition, Pyramid, Rendition } from '../../../relay/wire/pyramid.ts'
import { millis } from '../../../relay/wire/units.ts'
import { extrapolate } from './motion-estimator.ts'
import type { Motion } from './motion-estimator.ts'
import { imagePoint, settle, visibleRect } from './viewport.ts'
import type { Point, Rect, Size, Viewport } from './viewport.ts'

/** `pyramid` composes overview and tiles; `whole` shows the one stream of the whole image. */
export type ViewMode = 'pyramid' | 'whole'

/** The overview may be enlarged so much before tiles are fetched, in device pixels per overview pixel. */
const OVERVIEW_MAGNIFICATION = 1.5

/** Up to this scale a middle tile has a pixel for every device pixel. */
const MIDDLE_SCALE = 0.5

/** How far motion is thought on, nearest first. A tile needs about the last of these to begin. */
const LOOKAHEAD_MS = [millis(100), millis(200), millis(300)] as const

/** More tiles are not fetched ahead: about one row and one column of a large canvas. */
const PREFETCH_LIMIT = 12

/** What is on the screen. */
export interface View {
  readonly viewport: Viewport
  /** In device pixels. */
  readonly canvas: Size
  readonly mode: ViewMode
}

/** Where the eyes are and where they go. */
export interface Attention {
  /** On the canvas, in device pixels; undefined while the pointer is elsewhere, which stands for the centre. */
  readonly pointer: Point | undefined
  /** Undefined while the view rests. */
  readonly motion: Motion | undefined
}

/** What a view needs. */
export interface Demand {
  /** What is visible, the most important first. */
  readonly renditions: readonly RenditionId[]
  /** What comes into view if the motion goes on, the most likely first. */
  readonly prefetch: readonly RenditionId[]
}

/** Nobody watches yet. */
export const NO_DEMAND: Demand = { renditions: [], prefetch: [] }

/** What a pyramid that nobody sees needs: the overview keeps the picture warm, for the moment it is seen again. */
export const coveredDemandOf = (pyramid: Pyramid): Demand => ({ renditions: pyramid.renditions.filter(({ id }) => id === OVERVIEW).map(({ id }) => id), prefetch: [] })

/** Whether two areas share more than a border. */
export function overlaps(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

/** Whether a rendition is one tile of a grid, at full or at half resolution. */
export const isTile = (id: RenditionId): boolean => positionOf(id) !== undefined

/** Whether the overview alone is good enough at this scale. */
export function overviewSuffices(pyramid: Pyramid, scale: number): boolean {
  const overview = pyramid.renditions.find(rendition => rendition.id === OVERVIEW)
  return overview !== undefined && scale <= (OVERVIEW_MAGNIFICATION * overview.width) / pyramid.width
}

/**
 * The renditions that shall flow for a view. `renditions`: the tile under the pointer, the overview
 * (always), then the other tiles that the canvas touches, the nearest to the pointer first; the overview
 * alone while it suffices; in mode `whole` that stream alone. `prefetch`: tiles that the present motion
 * brings into view, at most one row or column ahead; none while the view rests.
 */
export function demandOf(pyramid: Pyramid, view: View, attention: Attention): Demand {
  if (view.mode === 'whole' && pyramid.renditions.some(rendition => rendition.id === WHOLE)) return { renditions: [WHOLE], prefetch: [] }
  const [first, ...others] = tilesIn(pyramid, view.viewport, view.canvas, attention.pointer)
  const renditions = first === undefined ? [OVERVIEW] : [first.id, OVERVIEW, ...others.map(tile => tile.id)]
  return { renditions, prefetch: prefetchOf(pyramid, view, attention, new Set(renditions)) }
}

const positionOf = (id: RenditionId): GridPosition | undefined => tilePosition(id) ?? middlePosition(id)

/** The tiles of the level that suits a scale; none where the overview suffices. */
function levelAt(pyramid: Pyramid, scale: number): readonly Rendition[] {
  if (overviewSuffices(pyramid, scale)) return []
  const position = pyramid.middle !== null && scale <= MIDDLE_SCALE ? middlePosition : tilePosition
  return pyramid.renditions.filter(rendition => position(rendition.id) !== undefined)
}

/** The visible tiles, the nearest to the pointer first. */
function tilesIn(pyramid: Pyramid, viewport: Viewport, canvas: Size, pointer: Point | undefined): readonly Rendition[] {
  const visible = visibleRect(viewport, pyramid, canvas)
  const eye = imagePoint(viewport, canvas, pointer ?? { x: canvas.width / 2, y: canvas.height / 2 })
  return levelAt(pyramid, viewport.scale)
    .filter(tile => overlaps(tile.region, visible))
    .map(tile => ({ tile, gap: gapTo(tile.region, eye), distance: Math.hypot(middle(tile.region).x - eye.x, middle(tile.region).y - eye.y) }))
    .sort((a, b) => a.gap - b.gap || a.distance - b.distance)
    .map(({ tile }) => tile)
}

function prefetchOf(pyramid: Pyramid, { viewport, canvas }: View, { pointer, motion }: Attention, known: ReadonlySet<RenditionId>): RenditionId[] {
  if (motion === undefined) return []
  const visible = visibleRect(viewport, pyramid, canvas)
  const found = new Set<RenditionId>()
  for (const ahead of LOOKAHEAD_MS) {
    const next = settle(extrapolate(viewport, motion, ahead), pyramid, canvas)
    const isNear = nextTo(levelAt(pyramid, next.scale).filter(tile => overlaps(tile.region, visible)))
    for (const { id } of tilesIn(pyramid, next, canvas, pointer)) if (!known.has(id) && isNear(id)) found.add(id)
  }
  return [...found].slice(0, PREFETCH_LIMIT)
}

/** Whether a tile is among these or next to one of them: at most one row or column ahead. */
function nextTo(tiles: readonly Rendition[]): (id: RenditionId) => boolean {
  const positions = tiles.flatMap(({ id }) => positionOf(id) ?? [])
  return id => {
    const at = positionOf(id)
    return at !== undefined && positions.some(({ column, row }) => Math.abs(column - at.column) <= 1 && Math.abs(row - at.row) <= 1)
  }
}

const middle = (region: Rect): Point => ({ x: region.x + region.width / 2, y: region.y + region.height / 2 })

/** How far a point is from an area; 0 inside of it. */
function gapTo(region: Rect, point: Point): number {
  const x = Math.max(region.x - point.x, 0, point.x - (region.x + region.width))
  const y = Math.max(region.y - point.y, 0, point.y - (region.y + region.height))
  return Math.hypot(x, y)
}
