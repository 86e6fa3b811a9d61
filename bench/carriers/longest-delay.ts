import { millis } from '../../relay/wire/units.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** The longest of what was noted since it was last taken. */
export class LongestDelay {
  #longest = millis(0)

  note(delay: Millis): void {
    if (delay > this.#longest) this.#longest = delay
  }

  take(): Millis {
    const longest = this.#longest
    this.#longest = millis(0)
    return longest
  }
}
