import type { StageTarget } from '../../../relay/wire/stage.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'

/** At most ten commands a second: as fast as a hand can follow what it sees. */
const INTERVAL_MS = millis(100)

/** What to send now, and when to ask again. */
export interface StageStep {
  readonly send: StageTarget | undefined
  readonly wakeAt: Millis | undefined
}

/**
 * Spaces out stage commands: one under way at a time; what is wanted meanwhile is merged, and of each
 * axis the latest wins. Does no I/O and reads no clock.
 */
export class StageQueue {
  #wanted: StageTarget | undefined
  #isUnderWay = false
  #nextAt = millis(-Infinity)

  want(target: StageTarget): void {
    this.#wanted = { ...this.#wanted, ...target }
  }

  step(now: Millis): StageStep {
    const send = this.#wanted
    if (send === undefined || this.#isUnderWay) return { send: undefined, wakeAt: undefined }
    if (now < this.#nextAt) return { send: undefined, wakeAt: this.#nextAt }
    this.#wanted = undefined
    this.#isUnderWay = true
    this.#nextAt = millis(now + INTERVAL_MS)
    return { send, wakeAt: undefined }
  }

  /** The command under way was answered, or refused: it is not repeated. Call {@link step} afterwards. */
  answered(): void {
    this.#isUnderWay = false
  }
}
