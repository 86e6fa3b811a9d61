import type { Stage, StageState, StageTarget } from '../../../relay/wire/stage.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'

/** A place of the stage, in micrometres. */
export type StagePlace = Pick<StageState, 'x' | 'y' | 'focus'>

const AXES = ['x', 'y', 'focus'] as const

/** A command that has had no visible effect for so long is forgotten. */
const FORGET_AFTER_MS = millis(1000)

/** Slide micrometres per image pixel with the objective in place. */
export function micrometresPerPixel({ objectives, state }: Stage): number {
  return objectives.find(({ name }) => name === state.objective)?.micrometresPerPixel ?? 1
}

/** The nearest target within the stage's travel, and whether that is another one. */
export function clampToTravel({ travel }: Stage, target: StageTarget): { readonly target: StageTarget; readonly isClamped: boolean } {
  const clamped = { ...target }
  let isClamped = false
  for (const axis of AXES) {
    const value = target[axis]
    if (value === undefined) continue
    clamped[axis] = Math.min(travel[axis].max, Math.max(travel[axis].min, value))
    isClamped ||= clamped[axis] !== value
  }
  return { target: clamped, isClamped }
}

/**
 * Where a stage is going: relative commands start from there, so that steps given faster than the stage
 * moves add up. Reads no clock.
 */
export class StageAim {
  #aim: StageTarget = {}
  #commandedAt = millis(-Infinity)

  /** It was sent there. */
  commanded(target: StageTarget, now: Millis): void {
    this.#aim = { ...(this.#isValid(now) ? this.#aim : {}), ...target }
    this.#commandedAt = now
  }

  /** Forgets where it was sent: the command was refused. */
  refused(): void {
    this.#aim = {}
  }

  /** Where it will be when it has done what it was told. */
  place(state: StageState, now: Millis): StagePlace {
    const { x, y, focus } = state
    return { x, y, focus, ...(state.isMoving || this.#isValid(now) ? this.#placeOf(this.#aim) : {}) }
  }

  #placeOf({ x, y, focus }: StageTarget): Partial<StagePlace> {
    return { ...(x === undefined ? {} : { x }), ...(y === undefined ? {} : { y }), ...(focus === undefined ? {} : { focus }) }
  }

  #isValid(now: Millis): boolean {
    return now - this.#commandedAt < FORGET_AFTER_MS
  }
}
