import { millis } from '../../relay/wire/units.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** What an axis can do, in micrometres and seconds. */
export interface AxisLimits {
  readonly micrometresPerSecond: number
  readonly micrometresPerSecondSquared: number
}

/** Motion is worked out in steps of this length, so that it does not depend on how often somebody looks. */
const STEP = millis(1)
const STEP_SECONDS = STEP / 1000
/** Whoever looks away for longer finds the axis as it was after this time. */
const LONGEST_LOOK = millis(5000)

/** One motor: accelerates towards its target, brakes in time, and stands exactly there. Reads no clock. */
export class StageAxis {
  readonly #limits: AxisLimits
  #position: number
  #target: number
  #velocity = 0
  /** Time that has passed, but not yet a whole step. */
  #rest = 0

  constructor(limits: AxisLimits, position: number) {
    this.#limits = limits
    this.#position = position
    this.#target = position
  }

  /** In micrometres. */
  get position(): number {
    return this.#position
  }

  /** Where it is going, in micrometres. */
  get target(): number {
    return this.#target
  }

  get isMoving(): boolean {
    return this.#position !== this.#target
  }

  /** Goes there from now on; keeps its momentum. */
  moveTo(target: number): void {
    this.#target = target
  }

  /** Stands still at once, where it is. */
  hold(): void {
    this.#velocity = 0
  }

  /** Lets time pass. */
  advance(duration: Millis): void {
    this.#rest = Math.min(this.#rest + duration, LONGEST_LOOK)
    for (; this.#rest >= STEP; this.#rest -= STEP) this.#step()
  }

  #step(): void {
    const distance = this.#target - this.#position
    if (distance === 0 && this.#velocity === 0) return
    const { micrometresPerSecond, micrometresPerSecondSquared: acceleration } = this.#limits
    const change = acceleration * STEP_SECONDS
    // As fast as it may be and, after this step, still stop at the target: v dt + v² / 2a = distance.
    const wanted = Math.sign(distance) * Math.min(micrometresPerSecond, Math.sqrt(change ** 2 + 2 * acceleration * Math.abs(distance)) - change)
    this.#velocity += Math.min(change, Math.max(-change, wanted - this.#velocity))
    if (Math.abs(distance) <= change * STEP_SECONDS && Math.abs(this.#velocity) <= 2 * change) {
      this.#position = this.#target
      this.#velocity = 0
      return
    }
    this.#position += this.#velocity * STEP_SECONDS
  }
}
