import { millis } from './units.ts'
import type { Millis } from './units.ts'

/** How long to wait before trying again. */
export interface BackoffOptions {
  readonly first: Millis
  readonly cap: Millis
}

/**
 * Full-jitter exponential backoff: a uniformly random share of a bound that doubles up to a cap.
 * Does no I/O; randomness is an argument.
 */
export class Backoff {
  readonly #options: BackoffOptions
  readonly #random: () => number
  #attempts = 0

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options
    this.#random = random
  }

  /** Attempts since the last {@link succeeded}. */
  get attempts(): number {
    return this.#attempts
  }

  /** The next wait: at least a tenth of the bound, so that a retry never spins. */
  next(): Millis {
    const bound = Math.min(this.#options.cap, this.#options.first * 2 ** this.#attempts)
    this.#attempts++
    return millis(bound * (0.1 + 0.9 * this.#random()))
  }

  /** Starts over from the first bound. */
  succeeded(): void {
    this.#attempts = 0
  }
}
