import { signal } from '@preact/signals'
import type { Annotation, AnnotationGeometry } from '../../../relay/wire/slide-annotations.ts'
import { AnnotationDraft } from './annotation-draft.ts'
import type { DraftResult } from './annotation-draft.ts'
import { MAX_TEXT } from './annotations.ts'
import type { AnnotationKind, Position } from './annotations.ts'
import type { OpenSlide, SlideDesk } from './slide-desk.ts'

/** What the pointer does: moves the slide, or draws. */
export type SlideTool = 'hand' | AnnotationKind

/** A movement that counts as one, in CSS pixels. */
const LEAST_PIXELS = 3

/** The tool in hand, and what is being drawn with it. */
export class SlideTools {
  readonly tool = signal<SlideTool>('hand')
  readonly draft = signal<AnnotationDraft | null>(null)
  /** Where the pointer is while something is drawn. */
  readonly pointer = signal<Position | undefined>(undefined)
  /** A text that is being written, and where. */
  readonly writing = signal<Position | null>(null)
  readonly isDrawerOpen = signal(true)
  readonly isHelpOpen = signal(false)
  readonly #desk: SlideDesk

  constructor(desk: SlideDesk) {
    this.#desk = desk
  }

  take(tool: SlideTool): void {
    this.cancel()
    if (tool === 'hand' || this.#desk.mayAnnotate) this.tool.value = tool
  }

  /** Gives up what is being drawn. @returns Whether there was something. */
  cancel(): boolean {
    const was = this.draft.value !== null || this.writing.value !== null
    this.draft.value = null
    this.writing.value = null
    this.pointer.value = undefined
    return was
  }

  down(at: Position): void {
    const [tool, open] = [this.tool.value, this.#desk.open.value]
    if (tool === 'hand' || open === null) return
    this.draft.value ??= new AnnotationDraft(tool, this.#least(open))
    this.#took(this.draft.value.down(at))
  }

  move(at: Position): void {
    this.pointer.value = at
    this.draft.value?.move(at)
  }

  up(at: Position): void {
    if (this.draft.value !== null) this.#took(this.draft.value.up(at))
  }

  /** A polygon has all its corners. */
  close(): void {
    if (this.draft.value !== null) this.#took(this.draft.value.close())
  }

  /** The text is written; an empty one is none. */
  write(text: string): void {
    const at = this.writing.value
    this.cancel()
    if (at !== null && text.trim() !== '') this.#add('text', { type: 'Point', coordinates: at }, text.trim().slice(0, MAX_TEXT))
  }

  /** Hands the annotations of the open slide to the browser as a file. */
  export(): void {
    const open = this.#desk.open.value
    if (open === null) return
    const { micronsPerPixel, pseudonym } = open.view.structure
    // A foreign member (RFC 7946 section 6.1), because readers elsewhere expect pixels.
    const document = { type: 'FeatureCollection', unit: micronsPerPixel === null ? 'pixel' : 'micrometre', micronsPerPixel, features: open.annotations.features.value }
    const url = URL.createObjectURL(new Blob([JSON.stringify(document, undefined, 2)], { type: 'application/geo+json' }))
    Object.assign(globalThis.document.createElement('a'), { href: url, download: `${pseudonym}.geojson` }).click()
    setTimeout(() => URL.revokeObjectURL(url), 10_000)
  }

  #least({ view }: OpenSlide): number {
    return (LEAST_PIXELS * view.devicePixelRatio.value * view.micrometresPerPixel.x) / (view.viewport.value?.scale ?? 1)
  }

  #took(result: DraftResult): void {
    const draft = this.draft.value
    if (draft === null || result.kind === 'drawing') return
    this.draft.value = null
    if (result.kind === 'nothing') return
    if (draft.kind === 'text' && result.geometry.type === 'Point') this.writing.value = result.geometry.coordinates
    else this.#add(draft.kind, result.geometry)
  }

  #add(kind: AnnotationKind, geometry: AnnotationGeometry, text?: string): void {
    const me = this.#desk.channel.me.value
    const properties: Annotation['properties'] = { kind, ...(me === null ? {} : { author: me.memberId, colour: me.colour ?? 7 }), ...(text === undefined ? {} : { text }) }
    this.#desk.open.value?.annotations.add({ type: 'Feature', id: crypto.randomUUID(), geometry, properties })
  }
}
