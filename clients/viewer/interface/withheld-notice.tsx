import type { JSX } from 'preact'
import { spokenText, text } from '../i18n.ts'
import { isTile } from '../view/tile-demand.ts'
import type { Viewer } from '../viewer.ts'
import { withheldPhrases } from './withheld-text.ts'

/** What the lines cannot carry, and what there is to see instead; nothing while they carry everything. */
export function WithheldNotice({ viewer }: { readonly viewer: Viewer }): JSX.Element {
  const language = viewer.language.value
  const phrases = withheldPhrases(viewer.plan.expectation.value.withheld, viewer.plan.demand.value.renditions.filter(id => isTile(id)).length)
  return (
    <>
      {phrases.length > 0 && (
        <ul class="withheld" aria-hidden="true">
          {phrases.map(({ key, n }) => (
            <li key={key}>{text(language, key, n)}</li>
          ))}
        </ul>
      )}
      <span class="visually-hidden" role="status" aria-live="polite">
        {phrases.map(({ key }) => spokenText(language, key)).join(', ')}
      </span>
    </>
  )
}
