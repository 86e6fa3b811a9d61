import type { Millis } from '../../wire/units.ts'

/**
 * The sum of what was added of late, in steps of a slot. Allocates nothing after it is made, and reads no clock.
 *
 * Time that goes back by more than the window, or forward by as much, empties it; time that goes back by less stands
 * still.
 */
export class SlidingSum {
  readonly #slotMillis: number
  readonly #sums: Float64Array
  #slot = -Infinity

  /** @param slots - How many slots of `slot` each the sum covers. */
  constructor(slot: Millis, slots: number) {
    this.#slotMillis = slot
    this.#sums = new Float64Array(slots + 1)
  }

  /** Adds to the slot of `now`. */
  add(value: number, now: Millis): void {
    this.#advance(now)
    const index = this.#slot % this.#sums.length
    this.#sums[index] = (this.#sums[index] ?? 0) + value
  }

  /** The sum of the full slots before that of `now`: it always covers the same length of time. */
  sum(now: Millis): number {
    const total = this.total(now)
    return total - (this.#sums[this.#slot % this.#sums.length] ?? 0)
  }

  /** The same and the slot in progress. */
  total(now: Millis): number {
    this.#advance(now)
    let total = 0
    for (const value of this.#sums) total += value
    return total
  }

  #advance(now: Millis): void {
    const slot = Math.max(0, Math.floor(now / this.#slotMillis))
    if (slot === this.#slot) return
    const { length } = this.#sums
    if (slot < this.#slot && this.#slot - slot < length) return
    if (slot < this.#slot || slot - this.#slot >= length) this.#sums.fill(0)
    else for (let next = this.#slot + 1; next <= slot; next++) this.#sums[next % length] = 0
    this.#slot = slot
  }
}
