import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'

/** Frame intervals that the mean is taken over. */
const WINDOW = 30

/** The picture has not stood still yet. */
export const NO_FREEZES: Freezes = { count: 0, longestSeconds: 0, lastSeconds: 0 }

/** How often the picture stood still, and how long at worst. */
export interface Freezes {
  readonly count: number
  readonly longestSeconds: number
  /** The last one; 0 before the first. */
  readonly lastSeconds: number
}

/**
 * Counts freezes of the picture as drawn: an interval longer than three mean intervals and longer than
 * the mean plus 150 ms.
 *
 * @see W3C webrtc-stats, `RTCInboundRtpStreamStats.freezeCount`
 */
export class FreezeMeter {
  readonly #intervals: number[] = []
  #last: Millis | undefined
  #count = 0
  #longest = millis(0)
  #latest = millis(0)

  /** A new instant was drawn at `now`. */
  drawn(now: Millis): void {
    if (this.#last !== undefined) this.#take(millis(now - this.#last))
    this.#last = now
  }

  /** The page was hidden or the view has no picture by intent: what passed since the last frame is no freeze. */
  forgive(): void {
    this.#last = undefined
  }

  get freezes(): Freezes {
    return { count: this.#count, longestSeconds: this.#longest / 1000, lastSeconds: this.#latest / 1000 }
  }

  #take(interval: Millis): void {
    const mean = this.#intervals.reduce((sum, value) => sum + value, 0) / this.#intervals.length
    if (this.#intervals.length > 0 && interval > Math.max(3 * mean, mean + 150)) {
      this.#count++
      this.#longest = millis(Math.max(this.#longest, interval))
      this.#latest = interval
    }
    this.#intervals.push(interval)
    if (this.#intervals.length > WINDOW) this.#intervals.shift()
  }
}
