import { toggleFullScreen } from '../interface/full-screen.ts'
import type { OpenSlide, SlideDesk } from './slide-desk.ts'
import type { SlideTools } from './slide-tools.ts'

/** As on the live image. */
const ZOOM_STEP = 2 ** 0.5
const PAN_SHARE = 1 / 8

type Action = (open: OpenSlide, tools: SlideTools, desk: SlideDesk) => void

const panBy =
  (x: number, y: number): Action =>
  ({ view }) => view.pan({ x: x * view.canvas.value.width * PAN_SHARE, y: y * view.canvas.value.height * PAN_SHARE })

/** What each key does while a slide is open, by `KeyboardEvent.key` in lower case. */
const ACTIONS: Partial<Record<string, Action>> = {
  arrowleft: panBy(1, 0),
  arrowright: panBy(-1, 0),
  arrowup: panBy(0, 1),
  arrowdown: panBy(0, -1),
  '+': ({ view }) => view.zoom(ZOOM_STEP),
  '=': ({ view }) => view.zoom(ZOOM_STEP),
  // The unshifted plus of a Japanese keyboard.
  ';': ({ view }) => view.zoom(ZOOM_STEP),
  '-': ({ view }) => view.zoom(1 / ZOOM_STEP),
  '0': ({ view }) => view.fit(),
  home: ({ view }) => view.fit(),
  '1': ({ view }) => view.zoomTo(1),
  f: () => toggleFullScreen(),
  v: (_open, tools) => tools.take('hand'),
  p: (_open, tools) => tools.take('point'),
  r: (_open, tools) => tools.take('rectangle'),
  g: (_open, tools) => tools.take('polygon'),
  h: (_open, tools) => tools.take('freehand'),
  t: (_open, tools) => tools.take('text'),
  u: ({ annotations }) => annotations.undo(),
  e: (_open, tools) => tools.export(),
  m: (_open, _tools, desk) => desk.toggleFollow(),
  enter: (_open, tools) => tools.close(),
  '?': (_open, tools) => (tools.isHelpOpen.value = !tools.isHelpOpen.value),
}

/** Gives up what is under way, else closes what lies above, else goes back to the live image. */
function escape(tools: SlideTools, desk: SlideDesk): void {
  if (tools.cancel()) return
  if (tools.isHelpOpen.value) tools.isHelpOpen.value = false
  else if (tools.tool.value !== 'hand') tools.take('hand')
  else if (desk.open.value === null) tools.isDrawerOpen.value = false
  else void desk.show(null)
}

/** Does what a key does to slides. @param key - In lower case. @returns Whether it does something. */
export function pressSlideKey(key: string, desk: SlideDesk, tools: SlideTools): boolean {
  const open = desk.open.value
  if (key === 's') tools.isDrawerOpen.value = !tools.isDrawerOpen.value
  else if (key === 'escape' && (open !== null || tools.isDrawerOpen.value)) escape(tools, desk)
  else if (open !== null && ACTIONS[key] !== undefined) ACTIONS[key](open, tools, desk)
  // The live image is covered: its keys must not move it unseen. The language is for both.
  else return open !== null && key !== 'l'
  return true
}
