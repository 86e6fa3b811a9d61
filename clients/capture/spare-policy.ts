import { millis } from '../../relay/wire/units.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** Starting one more encoder takes processor time from those that encode: not while one was just taken… */
const QUIET_TIME = millis(150)
/** …and one after the other. */
const START_INTERVAL = millis(100)

/** Decides when which spare encoder is started. Does no I/O and reads no clock. */
export class SparePolicy {
  readonly #wanted: ReadonlyMap<string, number>
  #notBefore: Millis = millis(0)

  /** @param wanted - How many of each kind shall wait. */
  constructor(wanted: ReadonlyMap<string, number>) {
    this.#wanted = new Map([...wanted].filter(([, count]) => count > 0))
  }

  /** An encoder was taken, or had to be started for want of a spare one. */
  taken(now: Millis): void {
    this.#delay(now, QUIET_TIME)
  }

  /** An encoder died: none is started for so long. */
  failed(now: Millis, wait: Millis): void {
    this.#delay(now, wait)
  }

  /** A spare encoder was started. */
  started(now: Millis): void {
    this.#delay(now, START_INTERVAL)
  }

  /**
   * Which kind to start next, and not before when: the one of which the smallest share is there.
   *
   * @param idle - How many of a kind wait.
   * @returns undefined when nothing is missing.
   */
  next(idle: (kind: string) => number): { readonly kind: string; readonly notBefore: Millis } | undefined {
    let least: { readonly kind: string; readonly share: number } | undefined
    for (const [kind, count] of this.#wanted) {
      const share = idle(kind) / count
      if (share < (least?.share ?? 1)) least = { kind, share }
    }
    return least === undefined ? undefined : { kind: least.kind, notBefore: this.#notBefore }
  }

  #delay(now: Millis, wait: Millis): void {
    this.#notBefore = millis(Math.max(this.#notBefore, now + wait))
  }
}
