import type { Viewer } from '../viewer.ts'
import { toggleFullscreen } from './interface-state.ts'
import type { InterfaceState } from './interface-state.ts'

/** One step of a zoom key. */
const ZOOM_STEP = 2 ** 0.5
/** One step of an arrow key, as a share of the canvas. */
const PAN_SHARE = 1 / 8

type Action = (viewer: Viewer, state: InterfaceState) => void

const panBy =
  (x: number, y: number): Action =>
  viewer => viewer.pan({ x: x * viewer.canvas.value.width * PAN_SHARE, y: y * viewer.canvas.value.height * PAN_SHARE })

/** What each key does, by `KeyboardEvent.key` in lower case. */
const ACTIONS: Partial<Record<string, Action>> = {
  arrowleft: panBy(1, 0),
  arrowright: panBy(-1, 0),
  arrowup: panBy(0, 1),
  arrowdown: panBy(0, -1),
  '+': viewer => viewer.zoom(ZOOM_STEP),
  '=': viewer => viewer.zoom(ZOOM_STEP),
  // The unshifted plus of a Japanese keyboard.
  ';': viewer => viewer.zoom(ZOOM_STEP),
  '-': viewer => viewer.zoom(1 / ZOOM_STEP),
  '0': viewer => viewer.fit(),
  home: viewer => viewer.fit(),
  '1': viewer => viewer.zoomTo(1),
  f: () => toggleFullscreen(),
  i: (_viewer, state) => state.toggle('isPanelOpen'),
  d: (_viewer, state) => state.toggle('isDimmed'),
  w: viewer => viewer.setMode(viewer.mode.value === 'whole' ? 'pyramid' : 'whole'),
  l: viewer => viewer.setLanguage(viewer.language.value === 'ja' ? 'en' : 'ja'),
  '?': (_viewer, state) => state.toggle('isHelpOpen'),
  escape: (_viewer, state) => (state.isHelpOpen.value = false),
}

/** Binds the keys; those with Ctrl, Alt or Meta stay the browser's. */
export function bindKeyboard(viewer: Viewer, state: InterfaceState): void {
  globalThis.addEventListener('keydown', event => {
    if (event.ctrlKey || event.altKey || event.metaKey) return
    const action = ACTIONS[event.key.toLowerCase()]
    if (action === undefined) return
    event.preventDefault()
    action(viewer, state)
  })
}
