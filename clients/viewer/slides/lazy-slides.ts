import { signal } from '@preact/signals'
import { RelayFault } from '../../../relay/wire/fault.ts'
import type { SlideId } from '../../../relay/wire/ids.ts'
import type { Viewer } from '../viewer.ts'
import type { InspectedSlide } from './inspected-slide.ts'
import type { SlidePart } from './slide-part.tsx'

/** The part for slides, which is fetched when it is asked for first. */
export class LazySlides {
  /** Undefined before it is there. */
  readonly part = signal<SlidePart | undefined>(undefined)
  readonly #viewer: Viewer
  #opening: Promise<SlidePart> | undefined

  constructor(viewer: Viewer) {
    this.#viewer = viewer
  }

  /** Opens the list, or closes it. */
  toggleDrawer(): void {
    const { value: part } = this.part
    // It comes with its list open.
    if (part === undefined) void this.#open()
    else part.toggleDrawer()
  }

  /** @returns Whether the key was one for slides. @param key - In lower case. */
  press(key: string): boolean {
    if (this.part.value !== undefined) return this.part.value.press(key)
    if (key !== 's') return false
    this.toggleDrawer()
    return true
  }

  /** Opens a slide; null goes back to the live image. */
  async show(slideId: SlideId | null): Promise<void> {
    const part = await this.#open()
    await part?.show(slideId)
  }

  inspect(): InspectedSlide | null {
    return this.part.value?.inspect() ?? null
  }

  async #open(): Promise<SlidePart | undefined> {
    try {
      this.#opening ??= this.#fetch()
      return await this.#opening
    } catch (cause) {
      // The node was out of reach: the next time may do better.
      this.#opening = undefined
      this.#viewer.faulted(new RelayFault('unavailable', 'the part for slides cannot be fetched', { cause }))
      return undefined
    }
  }

  async #fetch(): Promise<SlidePart> {
    const { openSlidePart } = await import('./slide-part.tsx')
    const element = document.body.appendChild(document.createElement('div'))
    this.part.value = openSlidePart(this.#viewer, element)
    return this.part.value
  }
}
