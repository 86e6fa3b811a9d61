import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'

const SLOTS = 10
const SLOT = millis(3000)
/** Two clocks drift apart by up to 50 millionths: what an old slot says is worth so much more delay per millisecond of age. */
const DRIFT = 50e-6

/**
 * The shortest delay of the last half minute, which is taken for that of the empty path. Routes and clocks change, so
 * that older ones are forgotten. Does no I/O and reads no clock.
 *
 * @see RFC 6817 (LEDBAT), which keeps its base delay in slots, too
 */
export class BaseDelay {
  readonly #delays = new Float64Array(SLOTS).fill(Infinity)
  #slot = 0
  #slotSince: number | undefined
  #base = Infinity

  /** With the far clock's unknown offset in it; `Infinity` before the first delay. */
  get value(): Millis {
    return millis(this.#base)
  }

  /** Forgets everything: the route is another. */
  restart(): void {
    this.#delays.fill(Infinity)
    this.#base = Infinity
  }

  /** Takes the shortest delay of a report. */
  note(delay: number, now: Millis): void {
    this.#slotSince ??= now
    while (now - this.#slotSince >= SLOT) {
      this.#slot = (this.#slot + 1) % SLOTS
      this.#delays[this.#slot] = Infinity
      // After a long pause all of it is old; to turn it over once is enough.
      this.#slotSince = Math.max(this.#slotSince + SLOT, now - SLOTS * SLOT)
    }
    this.#delays[this.#slot] = Math.min(this.#delays[this.#slot] ?? Infinity, delay)
    this.#base = Infinity
    for (let age = 0; age < SLOTS; age++) {
      const shortest = this.#delays[(this.#slot - age + SLOTS) % SLOTS] ?? Infinity
      this.#base = Math.min(this.#base, shortest + age * SLOT * DRIFT)
    }
  }
}
