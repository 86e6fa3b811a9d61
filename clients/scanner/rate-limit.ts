import { millis } from '../../relay/wire/units.ts'
import type { BitsPerSecond, Bytes, Millis } from '../../relay/wire/units.ts'

/** Spreads what is sent: after each body so much time passes as it takes at the rate. Does no I/O and reads no clock. */
export class RateLimit {
  readonly #rate: BitsPerSecond
  #freeAt = millis(0)

  constructor(rate: BitsPerSecond) {
    this.#rate = rate
  }

  /** How long the next body has to wait. */
  wait(now: Millis): Millis {
    return millis(Math.max(0, this.#freeAt - now))
  }

  /** A body leaves. */
  leaves(size: Bytes, now: Millis): void {
    this.#freeAt = millis(Math.max(now, this.#freeAt) + (8000 * size) / this.#rate)
  }
}
