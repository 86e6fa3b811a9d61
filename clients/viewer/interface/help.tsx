import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { text } from '../i18n.ts'
import type { Language } from '../i18n.ts'
import type { InterfaceState } from './interface-state.ts'
import { keyLines } from './key-lines.ts'

const LINES = ['helpWheel', 'helpDrag', 'helpDouble', 'helpStage', 'helpVoice', 'helpPointing', 'helpTruth'] as const

/** What keys and gestures do. */
export function Help({ language, state }: { readonly language: Language; readonly state: InterfaceState }): JSX.Element {
  const sheet = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const before = document.activeElement
    sheet.current?.focus()
    return () => {
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <div class="sheet" role="dialog" aria-label={text(language, 'help')} tabIndex={-1} ref={sheet}>
      <h1>{text(language, 'help')}</h1>
      <ul>
        {LINES.map(line => (
          <li key={line}>{text(language, line)}</li>
        ))}
      </ul>
      <dl class="keys">
        {keyLines(text(language, 'helpKeys')).map(({ keys, does }) => (
          <div key={does}>
            <dt>
              {keys.map(key => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label>
        <input type="checkbox" checked={state.hasLetterKeys.value} onChange={() => state.toggle('hasLetterKeys')} />
        {text(language, 'letterKeys')}
      </label>
      <button type="button" onClick={() => state.toggle('isHelpOpen')}>
        {text(language, 'close')}
      </button>
    </div>
  )
}
