import { bytes, millis } from '../../wire/units.ts'
import { unwrap32, wrap32 } from '../carrier/datagram.ts'
import { arrivalCode, MAX_FEEDBACK_PACKETS } from '../carrier/frames.ts'
import { PathStatistics } from '../measurement/path-statistics.ts'
import type { Bytes, Millis } from '../../wire/units.ts'
import type { FeedbackFrame } from '../carrier/frames.ts'

/** Arrivals remembered, by packet number. A power of two. */
const WINDOW = 1 << 12
/** The far end hears of arrivals this often… */
const FEEDBACK_INTERVAL = millis(20)
/** …or after so many. */
const FEEDBACK_PACKETS = 160

/** The receiving half of one path: what arrived when, and what the far end is to hear of it. Does no I/O and reads no clock. */
export class IncomingPath {
  readonly statistics = new PathStatistics()
  readonly #numbers = new Float64Array(WINDOW).fill(-1)
  readonly #arrivedAt = new Float64Array(WINDOW)
  #largest = 0
  #told = 0
  #toldBefore = 0
  #untold = 0
  #untoldSince: Millis | undefined
  #sentReference = 0
  #heardAt: Millis | undefined

  /** When anything authentic last came; undefined before. */
  get heardAt(): Millis | undefined {
    return this.#heardAt
  }

  /**
   * Takes one authentic datagram.
   *
   * @param sentMicros - On the far end's clock, modulo 2^32.
   * @param isTraffic - Whether it carries more than housekeeping, which alone is no reason for feedback.
   */
  received(number: number, size: number, sentMicros: number, isTraffic: boolean, now: Millis): void {
    this.#heardAt = now
    this.#sentReference = unwrap32(sentMicros, this.#sentReference)
    this.statistics.received(number, bytes(size), millis(this.#sentReference / 1000), now)
    const slot = number % WINDOW
    if (number <= this.#largest - WINDOW) return
    this.#numbers[slot] = number
    this.#arrivedAt[slot] = now
    if (number > this.#largest) this.#largest = number
    if (!isTraffic) return
    this.#untold++
    this.#untoldSince ??= now
  }

  /** An authentic datagram that came before came again. */
  repeated(number: number, size: Bytes, now: Millis): void {
    this.statistics.received(number, size, millis(NaN), now)
  }

  /** When feedback is due; Infinity while there is nothing to tell. */
  get feedbackDueAt(): number {
    if (this.#untoldSince === undefined) return Infinity
    return this.#untold >= FEEDBACK_PACKETS ? this.#untoldSince : this.#untoldSince + FEEDBACK_INTERVAL
  }

  /** The feedback for now. It tells once more what the one before told, which may have been lost. */
  feedback(path: number, now: Millis): FeedbackFrame {
    const largest = this.#largest
    // What came late may be all the news: one number is always told of.
    const first = Math.min(largest, Math.max(1, this.#toldBefore + 1, largest - MAX_FEEDBACK_PACKETS + 1))
    const largestAt = this.#arrivedAt[largest % WINDOW] ?? now
    const arrivals = new Uint16Array(largest - first + 1)
    for (let number = largest; number >= first; number--) {
      const slot = number % WINDOW
      arrivals[largest - number] = this.#numbers[slot] === number ? arrivalCode(largestAt - (this.#arrivedAt[slot] ?? largestAt)) : 0
    }
    this.#toldBefore = this.#told
    this.#told = largest
    this.#untold = 0
    this.#untoldSince = undefined
    return { path, largest, largestArrivedAt: wrap32(largestAt * 1000), hold: Math.max(0, Math.round((now - largestAt) * 1000)), arrivals }
  }
}
