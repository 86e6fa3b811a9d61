import type { SlideLevel } from '../../../relay/wire/slide.ts'

/** One of a slide's own levels, at a whole number of halvings. */
export interface SlideScale {
  /** In the slide. */
  readonly index: number
  /** How often the resolution of level 0 is halved. */
  readonly halvings: number
  readonly shape: SlideLevel
}

/** Sizes of levels are rounded, by some writers twice. In pixels. */
const ROUNDING = 2

/** The levels of a slide that are its finest one halved again and again, finest first. Others cannot be laid over it without drawing them anew. */
export function scalesOf(levels: readonly SlideLevel[]): SlideScale[] {
  const [finest] = levels
  if (finest === undefined) return []
  const scales: SlideScale[] = []
  for (const [index, shape] of levels.entries()) {
    const halvings = Math.max(0, Math.round(Math.log2(finest.width / shape.width)))
    const isExact = Math.abs(finest.width / 2 ** halvings - shape.width) <= ROUNDING && Math.abs(finest.height / 2 ** halvings - shape.height) <= ROUNDING
    if (isExact && halvings > (scales.at(-1)?.halvings ?? -1)) scales.push({ index, halvings, shape })
  }
  return scales
}
