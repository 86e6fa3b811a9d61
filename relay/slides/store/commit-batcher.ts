import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'

/** When a batch is closed. */
export interface BatchLimits {
  /** Items. */
  readonly count: number
  /** In bytes, over all items; one item may be longer. */
  readonly bytes: number
  /** How long the oldest item waits for company, at most. */
  readonly age: Millis
}

interface Waiting<Item> {
  readonly item: Item
  readonly bytes: number
  readonly since: Millis
}

/**
 * Decides which writes share one commit. While a commit is under way nothing is given out, so that under load batches
 * grow by themselves; at rest nobody waits longer than `age`. Does no I/O and reads no clock. The order is kept.
 */
export class CommitBatcher<Item> {
  readonly #limits: BatchLimits
  #waiting: Waiting<Item>[] = []
  #bytes = 0
  #isBusy = false

  constructor(limits: BatchLimits) {
    this.#limits = limits
  }

  /** What waits, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  add(item: Item, bytes: number, now: Millis): void {
    this.#waiting.push({ item, bytes, since: now })
    this.#bytes += bytes
  }

  /** The commit of the last batch has ended, however it ended. */
  finished(): void {
    this.#isBusy = false
  }

  /** @returns The batch to commit, or when to ask again. After a batch, `finished` has to be called. */
  step(now: Millis): { readonly batch: readonly Item[] | undefined; readonly wakeAt: Millis | undefined } {
    const [oldest] = this.#waiting
    if (this.#isBusy || oldest === undefined) return { batch: undefined, wakeAt: undefined }
    const due = millis(oldest.since + this.#limits.age)
    if (now < due && this.#waiting.length < this.#limits.count && this.#bytes < this.#limits.bytes) return { batch: undefined, wakeAt: due }
    let [count, bytes] = [0, 0]
    for (const { bytes: more } of this.#waiting) {
      if (count > 0 && (count >= this.#limits.count || bytes + more > this.#limits.bytes)) break
      count++
      bytes += more
    }
    const batch = this.#waiting.slice(0, count).map(({ item }) => item)
    this.#waiting = this.#waiting.slice(count)
    this.#bytes -= bytes
    this.#isBusy = true
    return { batch, wakeAt: undefined }
  }
}
