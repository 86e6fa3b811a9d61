/** The page's part for slides. Fetched when slides are asked for first, so that live viewing does not wait for it. */
import './slides.css'
import { effect } from '@preact/signals'
import { render } from 'preact'
import type { SlideId } from '../../../relay/wire/ids.ts'
import type { Viewer } from '../viewer.ts'
import type { InspectedSlide } from './inspected-slide.ts'
import { inspectSlide } from './inspect-slide.ts'
import { SlideDesk } from './slide-desk.ts'
import { pressSlideKey } from './slide-keys.ts'
import { SlideScreen } from './slide-screen.tsx'
import { SlideTools } from './slide-tools.ts'

/** What the rest of the page may do with slides. */
export interface SlidePart {
  /** @returns Whether the key was one for slides. */
  press(key: string): boolean
  /** Null goes back to the live image. */
  show(slideId: SlideId | null): Promise<void>
  /** Puts a point of level 0 at the centre. */
  view(to: { readonly x: number; readonly y: number; readonly scale: number }): void
  toggleDrawer(): void
  inspect(): InspectedSlide | null
}

/** Opens the part in an element. */
export function openSlidePart(viewer: Viewer, element: HTMLElement): SlidePart {
  const desk = new SlideDesk(viewer.slides, viewer.access.session.authorizedFetch, viewer.access.allowance)
  const tools = new SlideTools(desk)
  effect(() => {
    // From one slide to the next nobody sees the live image either.
    if (desk.open.value !== null) viewer.setCovered(true)
    else if (desk.opening.value === null) viewer.setCovered(false)
  })
  effect(() => {
    if (viewer.access.ended.value !== null) void desk.show(null)
  })
  const onLanguage = (): void => viewer.setLanguage(viewer.language.value === 'ja' ? 'en' : 'ja')
  effect(() => render(<SlideScreen desk={desk} tools={tools} stills={viewer.stills} language={viewer.language.value} onLanguage={onLanguage} />, element))
  return {
    press: key => pressSlideKey(key, desk, tools),
    show: slideId => desk.show(slideId),
    view: to => desk.open.value?.view.view(to),
    toggleDrawer: () => (tools.isDrawerOpen.value = !tools.isDrawerOpen.value),
    inspect: () => inspectSlide(desk),
  }
}
