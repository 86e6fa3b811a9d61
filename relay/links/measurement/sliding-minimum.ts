import type { Millis } from '../../wire/units.ts'

/**
 * The least value of late, in steps of a slot, the slot in progress among them. Allocates nothing after it is made,
 * and reads no clock. Time that goes back by more than the window, or forward by as much, empties it; time that goes
 * back by less stands still.
 */
export class SlidingMinimum {
  readonly #slotMillis: number
  readonly #minima: Float64Array
  #slot = -Infinity
  /** Of the slots before the one in progress. */
  #older = Infinity
  #newest = Infinity

  /** @param slots - How many slots of `slot` each are remembered. */
  constructor(slot: Millis, slots: number) {
    this.#slotMillis = slot
    this.#minima = new Float64Array(slots).fill(Infinity)
  }

  /** Takes a value. */
  add(value: number, now: Millis): void {
    this.#advance(now)
    if (value < this.#newest) this.#newest = value
  }

  /** The least value of the window, `Infinity` if there was none. */
  minimum(now: Millis): number {
    this.#advance(now)
    return Math.min(this.#older, this.#newest)
  }

  /** Forgets everything. */
  clear(): void {
    this.#minima.fill(Infinity)
    this.#older = Infinity
    this.#newest = Infinity
  }

  #advance(now: Millis): void {
    const slot = Math.max(0, Math.floor(now / this.#slotMillis))
    if (slot === this.#slot) return
    const { length } = this.#minima
    if (slot < this.#slot && this.#slot - slot < length) return
    if (slot < this.#slot || slot - this.#slot >= length) this.clear()
    else {
      this.#minima[this.#slot % length] = this.#newest
      for (let next = this.#slot + 1; next <= slot; next++) this.#minima[next % length] = Infinity
      this.#newest = Infinity
      this.#older = Infinity
      for (const value of this.#minima) if (value < this.#older) this.#older = value
    }
    this.#slot = slot
  }
}
