import { signal } from '@preact/signals'
import { toFault } from '../../../relay/wire/fault.ts'
import type { RelayFault } from '../../../relay/wire/fault.ts'
import type { Annotation } from '../../../relay/wire/slide-annotations.ts'
import { AnnotationBook } from './annotations.ts'
import type { FetchedAnnotations } from './slide-api.ts'

/** So often in a row somebody else may be quicker; then a person has to try again. */
const MAX_CONFLICTS = 8

/** Where annotations are kept. */
export interface AnnotationKeeper {
  annotations(): Promise<FetchedAnnotations>
  /** @throws {RelayFault} `conflict` when another version was stored meanwhile. */
  storeAnnotations(fetched: FetchedAnnotations): Promise<string>
}

/** The annotations of the open slide, kept at the node: one request at a time, on top of whatever others stored. */
export class AnnotationStore {
  readonly features = signal<readonly Annotation[]>([])
  readonly canUndo = signal(false)
  readonly fault = signal<RelayFault | null>(null)
  readonly #keeper: AnnotationKeeper
  readonly #book = new AnnotationBook()
  #work: Promise<void>

  constructor(keeper: AnnotationKeeper) {
    this.#keeper = keeper
    this.#work = this.#attempt(() => this.#load())
  }

  /** Settles when nothing is under way. Never rejects. */
  get idle(): Promise<void> {
    return this.#work
  }

  add(annotation: Annotation): void {
    this.#change(() => this.#book.add(annotation))
  }

  remove(id: string): void {
    this.#change(() => this.#book.remove(id))
  }

  undo(): void {
    this.#change(() => this.#book.undo())
  }

  /** Somebody stored something. */
  reload(): void {
    this.#work = this.#work.then(() => this.#attempt(() => this.#load()))
  }

  #change(change: () => void): void {
    change()
    this.#show()
    this.#work = this.#work.then(() => this.#attempt(() => this.#store()))
  }

  async #load(): Promise<void> {
    const { annotations, version } = await this.#keeper.annotations()
    this.#book.loaded(annotations, version)
  }

  async #store(): Promise<void> {
    for (let conflicts = 0; this.#book.isDirty; ) {
      const { document, version, settle } = this.#book.toStore()
      try {
        settle(await this.#keeper.storeAnnotations({ annotations: document, version }))
      } catch (error) {
        if (toFault(error).code !== 'conflict' || ++conflicts > MAX_CONFLICTS) throw error
        await this.#load()
      }
    }
  }

  async #attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step()
      this.fault.value = null
    } catch (error) {
      this.fault.value = toFault(error)
    }
    this.#show()
  }

  #show(): void {
    this.features.value = this.#book.features
    this.canUndo.value = this.#book.canUndo
  }
}
