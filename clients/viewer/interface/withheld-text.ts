import type { TextKey } from '../i18n.ts'
import type { WithheldView } from '../view/expectation.ts'
import type { Phrase } from './badge-text.ts'

const KEYS = {
  middle: { uplink: 'withheldMiddleUplink', downlink: 'withheldMiddleDownlink' },
  overview: { uplink: 'withheldOverviewUplink', downlink: 'withheldOverviewDownlink' },
} as const satisfies Record<WithheldView['shownAs'], Record<WithheldView['cause'], TextKey>>

/**
 * What is withheld and why: one phrase for each cause and each substitute, those with the most tiles first.
 *
 * @param visibleTiles - How many tiles are visible, withheld or not.
 */
export function withheldPhrases(withheld: readonly WithheldView[], visibleTiles: number): readonly Phrase[] {
  const counts = new Map<TextKey, number>()
  for (const { cause, shownAs } of withheld) counts.set(KEYS[shownAs][cause], (counts.get(KEYS[shownAs][cause]) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a).map(([key, count]) => ({ key, n: `${count}/${visibleTiles}` }))
}
