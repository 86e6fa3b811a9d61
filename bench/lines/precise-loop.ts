import { millis } from '../../relay/wire/units.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** Between two looks at the sockets while packets keep coming: how late an arrival may be seen. */
const LONGEST_NAP = millis(0.1)
/** Packets keep coming when the last one is not older than this. */
const DENSE = millis(2)
/** A timer of Node fires up to so much too late. */
const TIMER_SLOP = millis(2)

/** What a {@link PreciseLoop} drives. */
export interface Deadlines {
  /** When the next thing is due, on the clock of `performance.now()`; `Infinity` when there is nothing. */
  nextAt(): number
  /** Does all that is due. */
  release(now: Millis): void
}

/**
 * Meets deadlines within tenths of a millisecond without spinning. Far from one it blocks in the event loop,
 * which a packet ends at once; close to one, or while packets keep coming, it takes naps by `Atomics.wait`,
 * which unlike a timer takes fractions of a millisecond, and looks at the sockets between them.
 */
export class PreciseLoop {
  readonly #deadlines: Deadlines
  readonly #cell = new Int32Array(new SharedArrayBuffer(4))
  #lastArrival = -Infinity
  #timer: NodeJS.Timeout | undefined
  #isBlocking = true

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  /** To be called whenever a packet has come. */
  arrived(now: Millis): void {
    this.#lastArrival = now
    if (!this.#isBlocking) return
    this.#isBlocking = false
    clearTimeout(this.#timer)
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#deadlines.release(millis(performance.now()))
    const now = performance.now()
    const gap = this.#deadlines.nextAt() - now
    if (now - this.#lastArrival > DENSE && gap > TIMER_SLOP + 1) {
      this.#isBlocking = true
      if (gap !== Infinity) this.#timer = setTimeout(() => this.#wake(), Math.floor(gap - TIMER_SLOP))
      return
    }
    if (gap > 0) Atomics.wait(this.#cell, 0, 0, Math.min(LONGEST_NAP, gap))
    setImmediate(() => this.#turn())
  }

  #wake(): void {
    this.#isBlocking = false
    this.#turn()
  }
}
