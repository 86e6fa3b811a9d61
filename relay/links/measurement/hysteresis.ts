import type { Millis } from '../../wire/units.ts'

/** Raises an alarm that lasts, and not one that flickers. Does no I/O and reads no clock. */
export class Hysteresis {
  readonly #raiseAfter: Millis
  readonly #clearAfter: Millis
  #badSince = -Infinity
  #badAt = -Infinity
  #raisedAt: Millis | undefined

  /**
   * @param raiseAfter - It is bad for so long, in no part of it good for longer than this, before the alarm is raised.
   * @param clearAfter - It is good for so long, without a break, before the alarm is cleared.
   */
  constructor(raiseAfter: Millis, clearAfter: Millis) {
    this.#raiseAfter = raiseAfter
    this.#clearAfter = clearAfter
  }

  /** When the alarm was raised; undefined while it is not. */
  get raisedAt(): Millis | undefined {
    return this.#raisedAt
  }

  /** Takes an observation; says whether the alarm went up or down by it. */
  observe(isBad: boolean, now: Millis): 'raised' | 'cleared' | undefined {
    if (!isBad) {
      if (this.#raisedAt === undefined || now - this.#badAt < this.#clearAfter) return undefined
      this.#raisedAt = undefined
      return 'cleared'
    }
    if (now - this.#badAt > this.#raiseAfter) this.#badSince = now
    this.#badAt = now
    if (this.#raisedAt !== undefined || now - this.#badSince < this.#raiseAfter) return undefined
    this.#raisedAt = now
    return 'raised'
  }
}
