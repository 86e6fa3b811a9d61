import './stills.css'
import type { JSX } from 'preact'
import type { Language } from '../i18n.ts'
import type { StillsPart } from './stills-part.ts'
import { fetchReason, stillReason, stillText } from './still-words.ts'

interface Tidings {
  readonly kind: 'busy' | 'exact' | 'decoded' | 'failed'
  readonly text: string
}

function tidingsOf({ stills, last, fault, attempt }: StillsPart, language: Language): Tidings | undefined {
  if (fault.value !== null && attempt.value === 'fetch') return { kind: 'failed', text: `${stillText(language, 'notFetched')}: ${fetchReason(language, fault.value.code)}` }
  if (fault.value !== null) return { kind: 'failed', text: `${stillText(language, 'notKept')}: ${stillReason(language, fault.value.code)}` }
  const still = stills.value.find(({ stillId }) => stillId === last.value)
  if (still === undefined) return undefined
  const { state, origin, missingTiles } = still
  if (state === 'failed') return { kind: 'failed', text: `${stillText(language, 'notKept')}: ${stillReason(language, still.fault ?? 'internal')}` }
  if (state !== 'kept' || origin === null) return { kind: 'busy', text: stillText(language, state === 'wanted' ? 'wanted' : 'arriving') }
  const gaps = missingTiles === 0 ? '' : ` · ${stillText(language, 'missing', missingTiles)}`
  return { kind: origin, text: `${stillText(language, 'kept')} · ${stillText(language, origin)}${gaps}` }
}

/** What becomes of the frame that was kept last. */
export function StillTidings({ part, language }: { readonly part: StillsPart; readonly language: Language }): JSX.Element {
  const tidings = tidingsOf(part, language)
  return (
    <div role="status" aria-live="polite">
      {tidings !== undefined && (
        <div class={`badge still-tidings ${tidings.kind}`} data-still={tidings.kind}>
          <span class="mark" />
          <span>{tidings.text}</span>
          {tidings.kind !== 'busy' && <button type="button" aria-label={stillText(language, 'dismiss')} title={stillText(language, 'dismiss')} onClick={() => part.dismiss()}>×</button>}
        </div>
      )}
    </div>
  )
}
