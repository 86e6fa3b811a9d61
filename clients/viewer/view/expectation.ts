import { OVERVIEW } from '../../../relay/wire/ids.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import { middlePosition } from '../../../relay/wire/pyramid.ts'
import type { Pyramid, Rendition } from '../../../relay/wire/pyramid.ts'
import type { Flow, Withheld } from '../../../relay/wire/signaling.ts'
import { isTile, overlaps } from './tile-demand.ts'
import type { Demand } from './tile-demand.ts'
import type { Rect } from './viewport.ts'

/** What the node last said of what flows, and what it was asked for when it did. */
export interface ToldFlow extends Flow {
  readonly asked: Demand
}

/** A visible rendition that does not flow, and what there is to see instead. */
export interface WithheldView extends Withheld {
  /** `middle`: a middle tile flows in its place; `overview`: nothing finer than the overview. */
  readonly shownAs: 'middle' | 'overview'
}

/** What may come, what is waited for, and what will not come. */
export interface Expectation {
  /** Whatever frames of these come may be drawn: what is visible, what takes its place, and what is fetched ahead. */
  readonly drawable: readonly RenditionId[]
  /** Of these, an instant is complete when they are there: visible, and expected to flow. */
  readonly expected: readonly RenditionId[]
  /** Visible tiles that the node withholds. */
  readonly withheld: readonly WithheldView[]
}

/** Nothing is on the canvas. */
export const NO_EXPECTATION: Expectation = { drawable: [], expected: [], withheld: [] }

/**
 * What to expect for a demand. Of renditions that the node has not answered for yet it is assumed that
 * they will flow; the others flow or not as it said last.
 *
 * @param visible - The part of the image on the canvas, in image pixels.
 */
export function expectationOf(pyramid: Pyramid, visible: Rect, demand: Demand, told: ToldFlow | undefined): Expectation {
  const wanted = new Set(demand.renditions)
  const answered = new Set([...(told?.asked.renditions ?? []), ...(told?.asked.prefetch ?? [])])
  const flowing = new Set(told?.flowing)
  const seen = new Map(pyramid.renditions.map(rendition => [rendition.id, rendition]))
  const find = (ids: Iterable<RenditionId>): Rendition[] => [...ids].flatMap(id => seen.get(id) ?? [])
  const missing = (told?.withheld ?? []).filter(({ renditionId }) => wanted.has(renditionId) && renditionId !== OVERVIEW)
  const gaps = find(missing.map(({ renditionId }) => renditionId)).map(({ region }) => region)
  const substitutes = find(flowing).filter(({ id, region }) => !wanted.has(id) && isTile(id) && overlaps(region, visible))
  const filling = substitutes.filter(({ region }) => gaps.some(gap => overlaps(region, gap)))
  const middles = pyramid.renditions.filter(({ id, region }) => middlePosition(id) !== undefined && overlaps(region, visible))
  const isHalf = (id: RenditionId): boolean => {
    const under = find([id]).flatMap(({ region }) => middles.filter(middle => middle.id !== id && overlaps(middle.region, region)))
    return under.length > 0 && under.every(middle => flowing.has(middle.id))
  }
  return {
    drawable: [...new Set([...demand.renditions, ...demand.prefetch, ...substitutes.map(({ id }) => id)])],
    expected: [...demand.renditions.filter(id => !answered.has(id) || flowing.has(id)), ...filling.map(({ id }) => id)],
    withheld: missing.map(({ renditionId, cause }) => ({ renditionId, cause, shownAs: isHalf(renditionId) ? 'middle' : 'overview' })),
  }
}

/** Whether two expectations say the same, so that nobody needs to be told again. */
export function isSameExpectation(a: Expectation, b: Expectation): boolean {
  const sameIds = (x: readonly RenditionId[], y: readonly RenditionId[]): boolean => {
    const set = new Set(x)
    return x.length === y.length && y.every(id => set.has(id))
  }
  const sameWithheld = a.withheld.length === b.withheld.length && a.withheld.every(item =>
    b.withheld.some(other => other.renditionId === item.renditionId && other.cause === item.cause && other.shownAs === item.shownAs))
  return sameWithheld && sameIds(a.drawable, b.drawable) && sameIds(a.expected, b.expected)
}
