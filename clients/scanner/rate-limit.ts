import { millis } from '../../relay/wire/units.ts'
import type { BitsPerSecond, Bytes, Millis } from '../../relay/wire/units.ts'

/** Spreads what is sent: after each body so much time passes as it takes at the rate. Does no I/O and reads no clock. */
export class RateLimit {
  readonly #rate: BitsPerSecond
  #freeAt = millis(-Infinity)

  constructor(rate: BitsPerSecond) {
    this.#rate = rate
  }

  /** Takes a turn for a body. @returns When it may leave; not before `now`. */
  reserve(size: Bytes, now: Millis): Millis {
    const leaveAt = millis(Math.max(now, this.#freeAt))
    this.#freeAt = millis(leaveAt + (8000 * size) / this.#rate)
    return leaveAt
  }
}
