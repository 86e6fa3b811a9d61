import type { Millis } from '../../relay/wire/units.ts'

/** A token bucket: so many at once, so many per second. Reads no clock. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #updatedAt: Millis

  constructor(perSecond: number, burst: number, now: Millis) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#updatedAt = now
  }

  /** Takes one token if there is one. */
  take(now: Millis): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#updatedAt) * this.#perSecond) / 1000)
    this.#updatedAt = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
