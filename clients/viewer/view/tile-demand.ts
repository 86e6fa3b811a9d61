import { OVERVIEW, WHOLE } from '../../../relay/wire/ids.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import { tilePosition } from '../../../relay/wire/pyramid.ts'
import type { Pyramid } from '../../../relay/wire/pyramid.ts'
import { visibleRect } from './viewport.ts'
import type { Rect, Size, Viewport } from './viewport.ts'

/** `pyramid` composes overview and tiles; `whole` shows the one stream of the whole image. */
export type ViewMode = 'pyramid' | 'whole'

/** The overview may be enlarged so much before tiles are fetched, in device pixels per overview pixel. */
const OVERVIEW_MAGNIFICATION = 1.5

/** What is on the screen. */
export interface View {
  readonly viewport: Viewport
  /** In device pixels. */
  readonly canvas: Size
  readonly mode: ViewMode
}

/** Whether two areas share more than a border. */
export function overlaps(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

/** Whether the overview alone is good enough at this scale. */
export function overviewSuffices(pyramid: Pyramid, scale: number): boolean {
  const overview = pyramid.renditions.find(rendition => rendition.id === OVERVIEW)
  return overview !== undefined && scale <= (OVERVIEW_MAGNIFICATION * overview.width) / pyramid.width
}

/**
 * The renditions that shall flow for a view: the overview always, and the tiles that the canvas touches
 * once the overview no longer suffices, nearest to the centre first. In mode `whole` that stream alone.
 */
export function demandedRenditions(pyramid: Pyramid, view: View): readonly RenditionId[] {
  if (view.mode === 'whole' && pyramid.renditions.some(rendition => rendition.id === WHOLE)) return [WHOLE]
  if (overviewSuffices(pyramid, view.viewport.scale)) return [OVERVIEW]
  const visible = visibleRect(view.viewport, pyramid, view.canvas)
  const distance = (region: Rect): number =>
    Math.hypot(region.x + region.width / 2 - view.viewport.x, region.y + region.height / 2 - view.viewport.y)
  const tiles = pyramid.renditions
    .filter(rendition => tilePosition(rendition.id) !== undefined && overlaps(rendition.region, visible))
    .sort((a, b) => distance(a.region) - distance(b.region))
  return [OVERVIEW, ...tiles.map(tile => tile.id)]
}
