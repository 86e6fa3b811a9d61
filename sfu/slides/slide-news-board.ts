import type { SlideCatalogue } from '../../relay/slides/transfer/slide-catalogue.ts'
import type { ConsultationId, SlideId } from '../../relay/wire/ids.ts'
import type { ArrivedTiles } from '../../relay/wire/slide-sharing.ts'
import type { SlideSummary } from '../../relay/wire/slide.ts'
import type { SlideNews } from '../slide-sharing.ts'

/** Listeners are told at most this often. */
const QUIET_MILLIS = 250

interface Listeners {
  readonly slides: Set<(slides: readonly SlideSummary[]) => void>
  readonly tiles: Set<(arrived: ArrivedTiles) => void>
  readonly annotations: Set<(slideId: SlideId, version: number) => void>
}

/** Tells consultations what became of their slides. What comes in quick succession is told once. */
export class SlideNewsBoard implements SlideNews, Disposable {
  readonly #catalogue: SlideCatalogue
  readonly #listeners = new Map<ConsultationId, Listeners>()
  readonly #timers = new Map<ConsultationId, NodeJS.Timeout>()
  /** When listeners were told last, by the process's clock in milliseconds. */
  readonly #toldAt = new Map<ConsultationId, number>()

  constructor(catalogue: SlideCatalogue) {
    this.#catalogue = catalogue
  }

  slidesOf(consultationId: ConsultationId): readonly SlideSummary[] {
    return this.#catalogue.store.slidesOf(consultationId).map(record => this.#catalogue.summary(record))
  }

  onSlidesChanged(consultationId: ConsultationId, listener: (slides: readonly SlideSummary[]) => void): () => void {
    const { slides } = this.#of(consultationId)
    slides.add(listener)
    return () => {
      slides.delete(listener)
      this.#forget(consultationId)
    }
  }

  onTilesArrived(consultationId: ConsultationId, listener: (arrived: ArrivedTiles) => void): () => void {
    const { tiles } = this.#of(consultationId)
    tiles.add(listener)
    return () => {
      tiles.delete(listener)
      this.#forget(consultationId)
    }
  }

  onAnnotationsChanged(consultationId: ConsultationId, listener: (slideId: SlideId, version: number) => void): () => void {
    const { annotations } = this.#of(consultationId)
    annotations.add(listener)
    return () => {
      annotations.delete(listener)
      this.#forget(consultationId)
    }
  }

  /** Slides came, went or got further. */
  slidesChanged(consultationId: ConsultationId): void {
    if (this.#timers.has(consultationId) || !this.#listeners.has(consultationId)) return
    // The first news after a rest goes at once: it may be that a slide begins.
    const rest = (this.#toldAt.get(consultationId) ?? -Infinity) + QUIET_MILLIS - performance.now()
    this.#timers.set(consultationId, setTimeout(() => {
      this.#timers.delete(consultationId)
      this.#toldAt.set(consultationId, performance.now())
      const slides = this.slidesOf(consultationId)
      for (const listener of this.#listeners.get(consultationId)?.slides ?? []) listener(slides)
    }, Math.max(0, rest)))
  }

  /** Tiles came that somebody looks at. */
  tilesArrived(consultationId: ConsultationId, arrived: ArrivedTiles): void {
    for (const listener of this.#listeners.get(consultationId)?.tiles ?? []) listener(arrived)
  }

  /** Annotations of a slide were stored. */
  annotationsChanged(consultationId: ConsultationId, slideId: SlideId, version: number): void {
    for (const listener of this.#listeners.get(consultationId)?.annotations ?? []) listener(slideId, version)
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#listeners.clear()
  }

  #of(consultationId: ConsultationId): Listeners {
    const known = this.#listeners.get(consultationId)
    if (known !== undefined) return known
    const listeners: Listeners = { slides: new Set(), tiles: new Set(), annotations: new Set() }
    this.#listeners.set(consultationId, listeners)
    return listeners
  }

  #forget(consultationId: ConsultationId): void {
    const listeners = this.#listeners.get(consultationId)
    if (listeners === undefined || listeners.slides.size + listeners.tiles.size + listeners.annotations.size > 0) return
    this.#listeners.delete(consultationId)
    this.#toldAt.delete(consultationId)
  }
}
