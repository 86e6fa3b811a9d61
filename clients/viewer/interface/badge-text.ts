import type { SourceStatus } from '../../../relay/wire/signaling.ts'
import type { TextKey } from '../i18n.ts'
import type { Truth } from '../picture/truth.ts'
import type { ConnectionState } from '../session/standing-session.ts'
import { formatAge, formatFactor } from './format.ts'

/** One phrase of the badge. */
export interface Phrase {
  readonly key: TextKey
  readonly n?: string
}

/** What the badge is made from. */
export interface BadgeFacts {
  readonly truth: Truth
  readonly connection: ConnectionState
  /** Undefined while no microscope publishes. */
  readonly source: SourceStatus | undefined
  readonly isWhole: boolean
  readonly isApproximate: boolean
}

/** Where native pixels are although the picture as a whole is not native. */
export type NativePlace = 'pointer' | 'centre'

/**
 * What the badge says first: what kind of pixels these are, at the worst place.
 *
 * @param nativeAt - Where pixels are native nevertheless, if somewhere the eye is.
 */
export function truthPhrase(truth: Truth, nativeAt?: NativePlace): Phrase {
  if (truth.kind === 'upscaled' && nativeAt !== undefined) {
    return { key: nativeAt === 'pointer' ? 'nativeAtPointer' : 'nativeAtCentre', n: formatFactor(truth.factor) }
  }
  switch (truth.kind) {
    case 'native':
    case 'coarse':
    case 'none':
      return { key: truth.kind }
    case 'reduced':
    case 'upscaled':
      return { key: truth.kind, n: formatFactor(truth.factor) }
    case 'stale':
      return { key: 'stale', n: formatAge(truth.staleSeconds) }
    default:
      return truth.kind satisfies never
  }
}

/** What the badge adds: whatever keeps the picture from being live and exact. */
export function notePhrases(facts: BadgeFacts): readonly Phrase[] {
  const notes: Phrase[] = []
  if (facts.connection === 'connecting' || facts.connection === 'reconnecting') notes.push({ key: facts.connection })
  else if (facts.source === undefined) notes.push({ key: 'absent' })
  else if (facts.source.state === 'slow') notes.push({ key: 'slow', n: facts.source.framesPerSecond.toFixed(1) })
  else if (facts.source.state === 'interrupted') notes.push({ key: 'interrupted' })
  if (facts.isWhole) notes.push({ key: 'whole' })
  if (facts.isApproximate) notes.push({ key: 'approximate' })
  return notes
}
