import type { Rendition } from '../../../relay/wire/pyramid.ts'
import type { Rect } from '../view/viewport.ts'

/** What is painted over what, and how sharp that is where it is worst. */
export interface Layers {
  /** Those of which something remains to be seen, the coarsest first. */
  readonly painted: readonly Rendition[]
  /** Encoded pixels per image pixel, along one axis, at the worst visible place; undefined where something visible has no image. */
  readonly worstDensity: number | undefined
}

/** Narrower strips, in image pixels, are rounding. */
const SLIVER_PIXELS = 1e-3

/** Encoded pixels per image pixel along one axis: 1 for tiles, 0.5 for middle tiles, 0.25 for the overview of an 8K image. */
export const densityOf = (rendition: Rendition): number => rendition.width / rendition.region.width

/** Composes renditions over a visible part of the image: everywhere the densest one is on top. */
export function layersOf(visible: Rect, renditions: readonly Rendition[]): Layers {
  const densestFirst = [...renditions].sort((a, b) => densityOf(b) - densityOf(a))
  const regions = densestFirst.map(({ region }) => region)
  const columns = strips(visible.x, visible.width, regions.map(({ x, width }) => [x, x + width]))
  const rows = strips(visible.y, visible.height, regions.map(({ y, height }) => [y, y + height]))
  const used = new Set<Rendition>()
  let isCovered = columns.length > 0 && rows.length > 0
  for (const y of rows) {
    for (const x of columns) {
      const top = densestFirst.find(({ region }) => contains(region, x, y))
      if (top === undefined) isCovered = false
      else used.add(top)
    }
  }
  const painted = densestFirst.filter(rendition => used.has(rendition)).reverse()
  const worst = painted[0]
  return { painted, worstDensity: isCovered && worst !== undefined ? densityOf(worst) : undefined }
}

/** The middles of the strips that borders cut a length into; between two of them nothing changes. */
function strips(start: number, length: number, borders: readonly (readonly [number, number])[]): number[] {
  const end = start + length
  const inside = borders.flat().filter(border => border > start && border < end)
  const cuts = [...new Set([start, ...inside, end])].sort((a, b) => a - b)
  return cuts.slice(1).flatMap((cut, index) => {
    const before = cuts[index] ?? start
    return cut - before > SLIVER_PIXELS ? [(before + cut) / 2] : []
  })
}

const contains = (region: Rect, x: number, y: number): boolean =>
  x > region.x && x < region.x + region.width && y > region.y && y < region.y + region.height
