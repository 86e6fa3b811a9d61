import { millis } from '../../relay/wire/units.ts'
import type { Millis } from '../../relay/wire/units.ts'

const BUCKET = millis(0.02)
const BUCKETS = 1000

/** How much later than due packets left, as a histogram of 20 µs steps; what is later than 20 ms counts as the longest seen. */
export class Lateness {
  readonly #buckets = new Uint32Array(BUCKETS)
  #count = 0
  #sum = 0
  #longest = 0

  record(late: Millis): void {
    const index = Math.min(BUCKETS - 1, Math.floor(late / BUCKET))
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1
    this.#count++
    this.#sum += late
    if (late > this.#longest) this.#longest = late
  }

  /** Zeros before the first packet. */
  summary(): { meanMillis: number; p99Millis: number; longestMillis: number } {
    return { meanMillis: this.#count === 0 ? 0 : this.#sum / this.#count, p99Millis: this.#quantile(0.99), longestMillis: this.#longest }
  }

  #quantile(share: number): number {
    let below = 0
    for (let index = 0; index < BUCKETS; index++) {
      below += this.#buckets[index] ?? 0
      if (below > 0 && below >= share * this.#count) return Math.min((index + 1) * BUCKET, this.#longest)
    }
    return 0
  }
}
