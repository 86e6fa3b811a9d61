import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'

/** How long an event counts. */
const WINDOW_MS = 1000

/** The most events remembered: ten times the fastest display. */
const CAPACITY = 2400

/** Events of the last second, each with a value. */
export class RateMeter {
  #events: { readonly at: Millis; readonly value: number }[] = []

  count(at: Millis, value = 0): void {
    this.#events.push({ at, value })
    if (this.#events.length > CAPACITY) this.#events.shift()
  }

  /** Events per second at `now`. */
  perSecond(now: Millis): number {
    this.#forget(now)
    return (this.#events.length * 1000) / WINDOW_MS
  }

  /** The median value at `now`; 0 without events. */
  median(now: Millis): number {
    this.#forget(now)
    const values = this.#events.map(event => event.value).sort((a, b) => a - b)
    return values[Math.floor(values.length / 2)] ?? 0
  }

  #forget(now: Millis): void {
    const since = millis(now - WINDOW_MS)
    this.#events = this.#events.filter(event => event.at > since)
  }
}
