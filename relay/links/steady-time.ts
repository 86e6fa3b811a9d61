import { millis } from '../wire/units.ts'
import type { Millis } from '../wire/units.ts'

/** Time that goes on where a caller's clock goes back, so that nothing waits until that has caught up. Does no I/O and reads no clock. */
export class SteadyTime {
  #now: Millis
  #ahead = 0

  constructor(now: Millis) {
    this.#now = now
  }

  /** The last {@link advance}. */
  get now(): Millis {
    return this.#now
  }

  /** This time less the caller's. */
  get ahead(): Millis {
    return millis(this.#ahead)
  }

  /** The caller's clock shows `now`. @returns What it is here. */
  advance(now: Millis): Millis {
    if (now + this.#ahead < this.#now) this.#ahead = this.#now - now
    this.#now = millis(now + this.#ahead)
    return this.#now
  }

  /** What the caller's clock shows at a moment of this time. */
  outside(at: Millis): Millis {
    return millis(at - this.#ahead)
  }
}
