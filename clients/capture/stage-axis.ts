import type { Millis } from '../../relay/wire/units.ts'

/** What an axis can do, in micrometres and seconds. */
export interface AxisLimits {
  readonly micrometresPerSecond: number
  readonly micrometresPerSecondSquared: number
}

/** Motion is worked out in steps of this length, so that it does not depend on how often somebody looks. */
const STEP_SECONDS = 0.001
/** Whoever looks away for longer finds the axis as it was after this time. */
const LONGEST_LOOK_SECONDS = 5

/** One motor: accelerates towards its target, brakes in time, and stands exactly there. Reads no clock. */
export class StageAxis {
  readonly #limits: AxisLimits
  #position: number
  #target: number
  #velocity = 0
  #restSeconds = 0

  constructor(limits: AxisLimits, position: number) {
    this.#limits = limits
    this.#position = position
    this.#target = position
  }

  /** In micrometres. */
  get position(): number {
    return this.#position
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
    this.#restSeconds = Math.min(this.#restSeconds + duration / 1000, LONGEST_LOOK_SECONDS)
    for (; this.#restSeconds >= STEP_SECONDS; this.#restSeconds -= STEP_SECONDS) this.#step()
  }

  #step(): void {
    const distance = this.#target - this.#position
    if (distance === 0 && this.#velocity === 0) return
    const { micrometresPerSecond, micrometresPerSecondSquared: acceleration } = this.#limits
    // As fast as it may be and still stop at the target.
    const wanted = Math.sign(distance) * Math.min(micrometresPerSecond, Math.sqrt(2 * acceleration * Math.abs(distance)))
    const change = acceleration * STEP_SECONDS
    this.#velocity += Math.min(change, Math.max(-change, wanted - this.#velocity))
    const travelled = this.#velocity * STEP_SECONDS
    const isSlow = Math.abs(this.#velocity) <= 2 * change
    if (Math.abs(distance) <= Math.abs(travelled) + change * STEP_SECONDS && isSlow) {
      this.#position = this.#target
      this.#velocity = 0
      return
    }
    this.#position += travelled
  }
}
