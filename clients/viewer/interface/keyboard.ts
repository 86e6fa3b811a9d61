import type { LazySlides } from '../slides/lazy-slides.ts'
import { placeAtCentre } from '../measure/measure-input.ts'
import type { Viewer } from '../viewer.ts'
import { toggleFullScreen } from './full-screen.ts'
import type { InterfaceState } from './interface-state.ts'

/** One step of a zoom key. */
const ZOOM_STEP = 2 ** 0.5
/** One step of an arrow key, as a share of the canvas. */
const PAN_SHARE = 1 / 8

/** Steps of the focus, in micrometres. */
export const FOCUS_STEP = { fine: 1, coarse: 10 } as const

type Action = (viewer: Viewer, state: InterfaceState) => void

const panBy =
  (x: number, y: number): Action =>
  viewer => viewer.pan({ x: x * viewer.canvas.value.width * PAN_SHARE, y: y * viewer.canvas.value.height * PAN_SHARE })

/** Moves the stage by a share of what the canvas shows; the picture goes where the same key alone would move it. */
const stageBy =
  (x: number, y: number): Action =>
  viewer => {
    const { width, height } = viewer.canvas.value
    const micrometres = viewer.stage.micrometresPerPixel / (viewer.viewport.value?.scale ?? 1)
    viewer.stage.moveBy({ ...(x === 0 ? {} : { x: x * width * PAN_SHARE * micrometres }), ...(y === 0 ? {} : { y: y * height * PAN_SHARE * micrometres }) })
  }

const focusBy =
  (micrometres: number): Action =>
  viewer => viewer.stage.moveBy({ focus: micrometres })

/** What keys do to the stage with Shift or Alt held, by `KeyboardEvent.key` in lower case. */
const STAGE_ACTIONS: Partial<Record<string, Action>> = {
  arrowleft: stageBy(-1, 0),
  arrowright: stageBy(1, 0),
  arrowup: stageBy(0, -1),
  arrowdown: stageBy(0, 1),
  pageup: focusBy(FOCUS_STEP.coarse),
  pagedown: focusBy(-FOCUS_STEP.coarse),
}

/** What each key does, by `KeyboardEvent.key` in lower case. */
const ACTIONS: Partial<Record<string, Action>> = {
  arrowleft: panBy(1, 0),
  arrowright: panBy(-1, 0),
  arrowup: panBy(0, 1),
  arrowdown: panBy(0, -1),
  pageup: focusBy(FOCUS_STEP.fine),
  pagedown: focusBy(-FOCUS_STEP.fine),
  '+': viewer => viewer.zoom(ZOOM_STEP),
  '=': viewer => viewer.zoom(ZOOM_STEP),
  // The unshifted plus of a Japanese keyboard.
  ';': viewer => viewer.zoom(ZOOM_STEP),
  '-': viewer => viewer.zoom(1 / ZOOM_STEP),
  '0': viewer => viewer.fit(),
  home: viewer => viewer.fit(),
  '1': viewer => viewer.zoomTo(1),
  k: viewer => viewer.keepStill(),
  g: viewer => void (viewer.stageHold.isMine.value ? viewer.stageHold.release() : viewer.stageHold.claim()),
  x: viewer => void viewer.stageHold.stop(),
  f: () => toggleFullScreen(),
  'shift+f': () => toggleFullScreen({ isHere: true }),
  m: viewer => viewer.measure.next(),
  enter: viewer => placeAtCentre(viewer),
  backspace: ({ measure }) => {
    if (measure.kind.value !== null) measure.undo()
  },
  n: (_viewer, state) => state.toggle('areMembersOpen'),
  i: (_viewer, state) => state.toggle('isPanelOpen'),
  d: (_viewer, state) => state.toggle('isDimmed'),
  w: viewer => viewer.setMode(viewer.mode.value === 'whole' ? 'pyramid' : 'whole'),
  l: viewer => viewer.setLanguage(viewer.language.value === 'ja' ? 'en' : 'ja'),
  '?': (_viewer, state) => state.toggle('isHelpOpen'),
  p: viewer => viewer.pointing.toggleShared(),
  a: viewer => viewer.takeTool('arrow'),
  t: viewer => viewer.takeTool('text'),
  u: viewer => viewer.pointing.undo(),
  escape: (viewer, state) => {
    if (viewer.tool.value !== null) viewer.tool.value = null
    else if (state.isHelpOpen.value) state.isHelpOpen.value = false
    else if (!viewer.measure.cancel()) state.isMoreOpen.value = false
  },
}

/** Where keys are text, or choose from a list. */
const isTyping = ({ target }: KeyboardEvent): boolean => target instanceof HTMLElement && (target.isContentEditable || target.matches('input:not([type=checkbox], [type=button]), select, textarea'))

/** Keys that press what has the focus. */
const isPressing = ({ key, target }: KeyboardEvent): boolean => (key === 'Enter' || key === ' ') && target instanceof HTMLElement && target.matches('button, a, summary, input')

function findAction(event: KeyboardEvent, viewer: Viewer): Action | undefined {
  const key = event.key.toLowerCase()
  const forStage = (event.altKey || event.shiftKey) && viewer.stage.stage.value !== null ? STAGE_ACTIONS[key] : undefined
  if (forStage !== undefined || event.altKey) return forStage
  return (event.shiftKey ? ACTIONS[`shift+${key}`] : undefined) ?? ACTIONS[key]
}

/** Binds the keys; those with Ctrl or Meta stay the browser's, and those with Alt that do not move a stage. */
export function bindKeyboard(viewer: Viewer, state: InterfaceState, slides: LazySlides): void {
  globalThis.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.defaultPrevented || isTyping(event) || isPressing(event)) return
    const key = event.key.toLowerCase()
    if (key.length === 1 && !event.altKey && !state.hasLetterKeys.value) return
    // Slides are not a technician's.
    if (!event.altKey && viewer.members.me.value?.role !== 'technician' && slides.press(key)) {
      event.preventDefault()
      return
    }
    const action = findAction(event, viewer)
    if (action === undefined) return
    event.preventDefault()
    action(viewer, state)
  })
}
