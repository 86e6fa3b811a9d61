import { signal } from '@preact/signals'

/** What opens and closes. */
export type Toggle = 'isPanelOpen' | 'isHelpOpen' | 'isDimmed' | 'isMoreOpen' | 'areMembersOpen' | 'hasLetterKeys'

/** Below this height, in CSS pixels, the toolbar has a menu: twenty-odd buttons have no room. */
const LOW_WINDOW = '(max-height: 899px)'
/** Remembered by the browser: whether keys without Ctrl, Alt or Meta that are characters do something. */
const LETTER_KEYS = 'kenkyo.letterKeys'

/** A browser that keeps nothing for this page throws instead. */
function recall(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // Then it holds until the page is closed.
  }
}

/** What of the interface is open; nothing of the picture. */
export class InterfaceState {
  readonly isPanelOpen = signal(false)
  readonly isHelpOpen = signal(false)
  readonly isMoreOpen = signal(false)
  readonly areMembersOpen = signal(false)
  /** Controls almost as dark as the room. */
  readonly isDimmed = signal(false)
  /** Off for those whose voice control or tremor types letters. @see WCAG 2.2 success criterion 2.1.4 */
  readonly hasLetterKeys = signal(recall(LETTER_KEYS) !== 'off')
  /** The window is too low for the whole toolbar. */
  readonly isLow = signal(false)
  readonly isFullScreen = signal(false)

  constructor() {
    const low = matchMedia(LOW_WINDOW)
    this.isLow.value = low.matches
    low.addEventListener('change', ({ matches }) => (this.isLow.value = matches))
    document.addEventListener('fullscreenchange', () => (this.isFullScreen.value = document.fullscreenElement !== null))
  }

  toggle(which: Toggle): void {
    this[which].value = !this[which].value
    if (which === 'hasLetterKeys') remember(LETTER_KEYS, this.hasLetterKeys.value ? 'on' : 'off')
  }
}
