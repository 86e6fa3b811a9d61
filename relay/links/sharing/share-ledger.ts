import type { BitsPerSecond, Millis } from '../../wire/units.ts'

/** A guarantee that was not used is kept for so long. */
const MEMORY_MILLIS = 20

/**
 * Decides which class goes next on one path: first, in order of urgency, whoever has something to send and has not
 * had its guaranteed share; then, in order of urgency, whoever has something. Does no I/O and reads no clock.
 *
 * @see RFC 3246 for the same idea on routers; M. Shreedhar, G. Varghese, "Efficient Fair Queuing Using Deficit Round Robin", 1996
 */
export class ShareLedger {
  readonly #shares: readonly number[]
  /** Bytes that each class may still send by its guarantee. */
  readonly #credit: Float64Array
  #at: Millis | undefined

  /** @param shares - By class, the most urgent first; 0 to 1. */
  constructor(shares: readonly number[]) {
    this.#shares = shares
    this.#credit = new Float64Array(shares.length)
  }

  /** Time goes on at a path's pace. */
  accrue(pace: BitsPerSecond, now: Millis): void {
    const elapsed = Math.min(MEMORY_MILLIS, now - (this.#at ?? now))
    this.#at = now
    const bytes = pace / 8000
    for (let index = 0; index < this.#shares.length; index++) {
      const share = this.#shares[index] ?? 0
      this.#credit[index] = Math.min((this.#credit[index] ?? 0) + share * bytes * elapsed, share * bytes * MEMORY_MILLIS)
    }
  }

  /** The class that goes next; -1 when none has anything. @param ready - Bit by class. */
  choose(ready: number): number {
    let first = -1
    for (let index = 0; index < this.#shares.length; index++) {
      if ((ready & (1 << index)) === 0) continue
      if (first < 0) first = index
      if ((this.#credit[index] ?? 0) > 0) return index
    }
    return first
  }

  /** A class sent so many bytes. */
  spent(index: number, bytes: number): void {
    this.#credit[index] = Math.max(-bytes, (this.#credit[index] ?? 0) - bytes)
  }
}
