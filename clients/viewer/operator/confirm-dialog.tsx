import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { operatorText } from './words.ts'
import type { OperatorState } from './operator-state.ts'

/** Asks before something is done that cannot be taken back. Begins on the way out. */
export function ConfirmDialog({ state }: { readonly state: OperatorState }): JSX.Element | null {
  const question = state.question.value
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (question !== undefined) dialog.current?.showModal()
  }, [question])
  if (question === undefined) return null
  const language = state.language.value
  const end = (): void => void (state.question.value = undefined)
  const { title, text, name, verb, act } = question
  return (
    <dialog ref={dialog} aria-labelledby="question" onClose={end}>
      <h2 id="question">{operatorText(language, title, name)}</h2>
      <p>{operatorText(language, text)}</p>
      <div class="buttons">
        <button type="button" onClick={end}>
          {operatorText(language, 'cancel')}
        </button>
        <button
          type="button"
          class="grave"
          onClick={() => {
            end()
            void state.act(`${operatorText(language, verb)} ${name}`, act)
          }}
        >
          {operatorText(language, verb)}
        </button>
      </div>
    </dialog>
  )
}
