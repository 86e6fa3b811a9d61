import { formatFactor } from '../interface/format.ts'
import type { SlideTextKey } from './slide-words.ts'
import type { SlideTruth } from './slide-truth.ts'

/** One phrase of the badge. */
export interface SlidePhrase {
  readonly key: SlideTextKey
  readonly n?: number | string
}

/** A factor this close to 1 is 1: levels of real slides are rounded. */
const NATIVE = 0.002

function zoomPhrase(zoom: number): SlidePhrase {
  if (Math.abs(zoom - 1) < NATIVE) return { key: 'atNative' }
  return zoom < 1 ? { key: 'reduced', n: formatFactor(1 / zoom) } : { key: 'enlarged', n: formatFactor(zoom) }
}

/** What the badge of a slide says: first what the pixels are worth, then how large they are, or what stands in for them. */
export function slidePhrases({ kind, zoom, standInZoom, tiles }: SlideTruth): readonly SlidePhrase[] {
  const first: SlidePhrase = kind === 'refused' ? { key: kind, n: tiles.refused } : { key: kind }
  if (kind === 'none') return [first]
  if (standInZoom !== null) return [first, { key: 'standIn', n: formatFactor(standInZoom) }]
  return [first, zoomPhrase(zoom)]
}
