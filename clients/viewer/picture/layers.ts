import type { Rendition } from '../../../relay/wire/pyramid.ts'
import type { Rect } from '../view/viewport.ts'

/** What is painted over what, and how sharp that is where it is worst. */
export interface Layers {
  /** Those of which something remains to be seen, the coarsest first. */
  readonly painted: readonly Rendition[]
  /** Encoded pixels per image pixel, along one axis, at the worst visible place; undefined where something visible has no image. */
  readonly worstDensity: number | undefined
  /** Part of what is visible that is at least as dense as was asked for; 0 where nothing is visible. */
  readonly denseRatio: number
}

/** Narrower strips, in image pixels, are rounding. */
const SLIVER_PIXELS = 1e-3
/** Rounding of densities computed in floating point. */
const TOLERANCE = 1e-6

/** Encoded pixels per image pixel along one axis: 1 for tiles, 0.5 for middle tiles, 0.25 for the overview of an 8K image. */
export const densityOf = (rendition: Rendition): number => rendition.width / rendition.region.width

/**
 * Composes renditions over a visible part of the image: everywhere the densest one is on top.
 *
 * @param askedDensity - Encoded pixels per image pixel that `denseRatio` asks for.
 */
export function layersOf(visible: Rect, renditions: readonly Rendition[], askedDensity = 1): Layers {
  const densestFirst = [...renditions].sort((a, b) => densityOf(b) - densityOf(a))
  const regions = densestFirst.map(({ region }) => region)
  const columns = strips(visible.x, visible.width, regions.map(({ x, width }) => [x, x + width]))
  const rows = strips(visible.y, visible.height, regions.map(({ y, height }) => [y, y + height]))
  const used = new Set<Rendition>()
  let isCovered = columns.length > 0 && rows.length > 0
  let dense = 0
  for (const { middle: y, length: height } of rows) {
    for (const { middle: x, length: width } of columns) {
      const top = densestFirst.find(({ region }) => contains(region, x, y))
      if (top === undefined) isCovered = false
      else used.add(top)
      if (top !== undefined && densityOf(top) >= askedDensity - TOLERANCE) dense += width * height
    }
  }
  const painted = densestFirst.filter(rendition => used.has(rendition)).reverse()
  const worst = painted[0]
  const area = total(columns) * total(rows)
  return { painted, worstDensity: isCovered && worst !== undefined ? densityOf(worst) : undefined, denseRatio: area > 0 ? dense / area : 0 }
}

/** A piece of a length. */
interface Strip {
  readonly middle: number
  readonly length: number
}

const total = (strips: readonly Strip[]): number => strips.reduce((sum, { length }) => sum + length, 0)

/** The strips that borders cut a length into; within one nothing changes. */
function strips(start: number, length: number, borders: readonly (readonly [number, number])[]): Strip[] {
  const end = start + length
  const inside = borders.flat().filter(border => border > start && border < end)
  const cuts = [...new Set([start, ...inside, end])].sort((a, b) => a - b)
  return cuts.slice(1).flatMap((cut, index) => {
    const before = cuts[index] ?? start
    return cut - before > SLIVER_PIXELS ? [{ middle: (before + cut) / 2, length: cut - before }] : []
  })
}

const contains = (region: Rect, x: number, y: number): boolean =>
  x > region.x && x < region.x + region.width && y > region.y && y < region.y + region.height
