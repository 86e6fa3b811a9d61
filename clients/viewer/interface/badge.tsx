import type { JSX } from 'preact'
import { spokenText, text } from '../i18n.ts'
import { ReplayNotes } from '../recording/recording-badge.tsx'
import type { Viewer } from '../viewer.ts'
import { notePhrases, truthPhrase } from './badge-text.ts'
import type { Phrase } from './badge-text.ts'

/** The truth about the picture, always visible. */
export function Badge({ viewer }: { readonly viewer: Viewer }): JSX.Element {
  const truth = viewer.truth.value
  const notes = notePhrases({
    truth,
    connection: viewer.connection.value,
    source: viewer.publication.value?.source,
    isWhole: viewer.mode.value === 'whole',
    isApproximate: viewer.picture.alignment === 'approximate',
  })
  const isNativeThere = viewer.pointerIsNative.value && viewer.drawn.value?.viewport?.scale === 1
  const phrase = truthPhrase(truth, isNativeThere ? (viewer.plan.pointer.value === undefined ? 'centre' : 'pointer') : undefined)
  const say = ({ key, n }: Phrase): string => text(viewer.language.value, key, n)
  // Read aloud on change of kind only: seconds that tick by are for the eye.
  const spoken = [phrase.key, ...notes.map(note => note.key)].map(key => spokenText(viewer.language.value, key)).join(', ')
  return (
    <div class={`badge ${truth.kind}`} data-kind={truth.kind}>
      <span class="mark" aria-hidden="true" />
      <span aria-hidden="true">{say(phrase)}</span>
      {notes.map(note => (
        <span class="note" aria-hidden="true" key={note.key}>
          {say(note)}
        </span>
      ))}
      <ReplayNotes part={viewer.recording} truth={truth} language={viewer.language.value} />
      <span class="visually-hidden" role="status" aria-live="polite">
        {spoken}
      </span>
    </div>
  )
}
