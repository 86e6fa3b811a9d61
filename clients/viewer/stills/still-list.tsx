import './stills.css'
import type { JSX } from 'preact'
import type { StillSummary } from '../../../relay/wire/still.ts'
import type { Language } from '../i18n.ts'
import type { StillsPart } from './stills-part.ts'
import { stillReason, stillText } from './still-words.ts'

const timeOf = (language: Language, { askedAtMillis }: StillSummary): string => new Date(askedAtMillis).toLocaleTimeString(language)

function stateOf(language: Language, { state, origin, fault }: StillSummary): string {
  if (state === 'failed') return stillReason(language, fault ?? 'internal')
  return stillText(language, state === 'kept' && origin !== null ? origin : state === 'wanted' ? 'wanted' : 'arriving')
}

/** The stills of the consultation; nothing where there are none. */
export function StillList({ part, language }: { readonly part: StillsPart; readonly language: Language }): JSX.Element | null {
  const stills = part.stills.value
  if (stills.length === 0) return null
  return (
    <>
      <h2>{stillText(language, 'stills')}</h2>
      {stills.map(still => (
        <button key={still.stillId} type="button" class="entry" data-still={still.stillId} disabled={still.state !== 'kept'} onClick={() => void part.show(still.stillId)}>
          <span>{timeOf(language, still)} · {still.keptBy}</span>
          <span class="state">{part.opening.value === still.stillId ? stillText(language, 'loading') : stateOf(language, still)}</span>
        </button>
      ))}
    </>
  )
}
