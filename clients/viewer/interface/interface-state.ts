import { signal } from '@preact/signals'

/** What of the interface is open; nothing of the picture. */
export class InterfaceState {
  readonly isPanelOpen = signal(false)
  readonly isHelpOpen = signal(false)
  /** Controls almost as dark as the room. */
  readonly isDimmed = signal(false)

  toggle(which: 'isPanelOpen' | 'isHelpOpen' | 'isDimmed'): void {
    this[which].value = !this[which].value
  }
}

/** Full screen and back. */
export function toggleFullscreen(): void {
  const done = document.fullscreenElement === null ? document.documentElement.requestFullscreen() : document.exitFullscreen()
  // The browser may refuse; then nothing changes, which is visible.
  done.catch(() => undefined)
}
