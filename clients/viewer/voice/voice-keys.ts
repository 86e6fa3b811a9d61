import type { VoicePart } from './voice-part.ts'

/** Where the space bar or letters are the element's own. */
const isTaken = (target: EventTarget | null): boolean => target instanceof HTMLElement && (target.isContentEditable || target.matches('input, select, textarea, button, a, summary'))

/**
 * Binds the keys of the voice, the same on the live image and on slides: Shift+M mutes, the space bar opens the
 * microphone while it is held. To be called before the other keys are bound.
 *
 * @param hasLetterKeys - Whether keys that are letters do anything.
 */
export function bindVoiceKeys(voice: VoicePart, hasLetterKeys: () => boolean): void {
  let held: string | undefined
  const release = (): void => {
    held = undefined
    voice.gate.isHeld.value = false
  }
  globalThis.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || voice.state.value !== 'on' || isTaken(event.target)) return
    const key = event.key.toLowerCase()
    if (key === 'm' && event.shiftKey && hasLetterKeys()) {
      if (!event.repeat) voice.gate.toggle()
    } else if (key === ' ') {
      held = key
      voice.gate.isHeld.value = true
    } else {
      return
    }
    event.preventDefault()
    event.stopImmediatePropagation()
  })
  globalThis.addEventListener('keyup', event => {
    if (event.key.toLowerCase() === held) release()
  })
  // Whoever goes elsewhere lets go.
  globalThis.addEventListener('blur', release)
}
