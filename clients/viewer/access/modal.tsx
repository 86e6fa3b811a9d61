import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

/** A dialog that the rest of the page waits for. */
export function Modal(props: { readonly class: string; readonly label: string; readonly onCancel?: () => void; readonly children: JSX.Element }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog
      ref={dialog}
      class={`access-dialog ${props.class}`}
      aria-label={props.label}
      onKeyDown={event => event.stopPropagation()}
      onCancel={event => {
        event.preventDefault()
        props.onCancel?.()
      }}
    >
      {props.children}
    </dialog>
  )
}
