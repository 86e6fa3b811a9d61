import type { Removal } from '../../wire/slide.ts'

/** Counts what was removed, by place and action. Places must be names that may be told. */
export class RemovalList {
  readonly #removals = new Map<string, Removal>()

  /** @param times - How often it was there. */
  add(place: string, action: Removal['action'], times = 1): void {
    const key = `${action} ${place}`
    this.#removals.set(key, { place, action, count: (this.#removals.get(key)?.count ?? 0) + times })
  }

  /** By place. */
  get list(): Removal[] {
    return [...this.#removals.values()].sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0))
  }
}
