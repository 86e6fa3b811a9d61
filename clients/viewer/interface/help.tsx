import type { JSX } from 'preact'
import { text } from '../i18n.ts'
import type { Language } from '../i18n.ts'

const LINES = ['helpWheel', 'helpDrag', 'helpDouble', 'helpKeys', 'helpStage', 'helpTruth'] as const

/** What keys and gestures do. */
export function Help({ language, onClose }: { readonly language: Language; readonly onClose: () => void }): JSX.Element {
  return (
    <div class="sheet" role="dialog" aria-label={text(language, 'help')}>
      <h1>{text(language, 'help')}</h1>
      <ul>
        {LINES.map(line => (
          <li key={line}>{text(language, line)}</li>
        ))}
      </ul>
      <button type="button" onClick={onClose}>
        {text(language, 'close')}
      </button>
    </div>
  )
}
