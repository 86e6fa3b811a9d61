import type { SlideLevel } from '../../wire/slide.ts'

/** A coarsest level no larger than this is an overview by itself. In pixels a side. */
const MOST_OVERVIEW = 2048
/** How much smaller the next level may be; sizes of levels are rounded. */
const MOST_STEP = 4.2
/** Of made levels, in pixels. */
const MADE_TILE_SIDE = 256

/** One level of a pyramid without gaps: one of the file's, or one to be made from the level before it. */
export type PlannedLevel =
  | { readonly kind: 'kept'; readonly shape: SlideLevel; readonly index: number }
  | { readonly kind: 'made'; readonly shape: SlideLevel; readonly shrink: Shrink }

/** How many times smaller a level is than the one it is made from. */
export type Shrink = 4 | 2

/** How far tiles of a level can be shrunk each by itself, so that they still fit together; undefined where they cannot, or are JPEG 2000, which sharp does not decode. */
function shrinkOf({ encoding, tileWidth, tileHeight }: SlideLevel): Shrink | undefined {
  if (encoding.compression !== 'jpeg') return undefined
  if (tileWidth % 4 === 0 && tileHeight % 4 === 0) return 4
  return tileWidth % 2 === 0 && tileHeight % 2 === 0 ? 2 : undefined
}

/**
 * Levels of a slide, finest first, with those that are missing: where the next would be more than about four times
 * smaller, or the coarsest is too large to be an overview. Levels that cannot be made are left out.
 */
export function planPyramid(levels: readonly SlideLevel[]): PlannedLevel[] {
  const planned: PlannedLevel[] = []
  for (const [index, shape] of levels.entries()) {
    planned.push({ kind: 'kept', shape, index })
    const next = levels[index + 1]
    let from = shape
    for (let shrink = shrinkOf(from); shrink !== undefined && isMissing(from, next); shrink = shrinkOf(from)) {
      from = {
        width: Math.max(1, Math.floor(from.width / shrink)), height: Math.max(1, Math.floor(from.height / shrink)), tileWidth: MADE_TILE_SIDE, tileHeight: MADE_TILE_SIDE, isMade: true,
        encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' },
      }
      planned.push({ kind: 'made', shape: from, shrink })
    }
  }
  return planned
}

function isMissing(from: SlideLevel, next: SlideLevel | undefined): boolean {
  if (next === undefined) return Math.max(from.width, from.height) > MOST_OVERVIEW
  return Math.max(from.width / next.width, from.height / next.height) > MOST_STEP
}
