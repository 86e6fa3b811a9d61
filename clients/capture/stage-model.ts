import { millis } from '../../relay/wire/units.ts'
import { StageAxis } from './stage-axis.ts'
import type { Objective, Stage, StageTarget } from '../../relay/wire/stage.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** Where a stage is: {@link Stage}'s state without the images that show it. */
export type StagePlace = Omit<Stage['state'], 'rtpTimestamp' | 'obeyed'>

/** What a {@link StageModel} is made of. */
export interface StageModelOptions {
  readonly objectives: Stage['objectives']
  readonly travel: Stage['travel']
  /** Where it begins, at rest. */
  readonly start: Pick<StagePlace, 'x' | 'y' | 'focus' | 'objective'>
}

/** A fast scanning stage: 20 mm/s, reached in a tenth of a second. */
const STAGE_LIMITS = { micrometresPerSecond: 20_000, micrometresPerSecondSquared: 200_000 }
const FOCUS_LIMITS = { micrometresPerSecond: 200, micrometresPerSecondSquared: 2_000 }
/** The turret turns for so long; nothing else moves meanwhile. */
const OBJECTIVE_CHANGE = millis(300)

const clamp = (value: number, { min, max }: { readonly min: number; readonly max: number }): number => Math.min(max, Math.max(min, value))

/**
 * A stage with momentum. Reads no clock: `now` is an argument.
 *
 * Places across the slide are whole pixels of the image under the objective in place, moving or not,
 * so that what is reported is exactly what is shown. A target between two pixels is rounded to one.
 */
export class StageModel {
  readonly #options: StageModelOptions
  readonly #x: StageAxis
  readonly #y: StageAxis
  readonly #focus: StageAxis
  /** What x and y were told, before rounding to the pixels of an objective. */
  readonly #aim: { x: number; y: number }
  #objective: Objective
  #change: { readonly to: Objective; remaining: Millis } | undefined
  #lastStep: Millis | undefined

  constructor(options: StageModelOptions) {
    const { x, y, focus, objective } = options.start
    this.#options = options
    this.#objective = this.#objectiveNamed(objective)
    this.#aim = { x, y }
    const pixel = this.#toPixel({ x, y })
    this.#x = new StageAxis(STAGE_LIMITS, pixel.x)
    this.#y = new StageAxis(STAGE_LIMITS, pixel.y)
    this.#focus = new StageAxis(FOCUS_LIMITS, focus)
  }

  /** Goes there; what is not named keeps its own target. Clamped to travel. */
  command(target: StageTarget): void {
    if (target.x !== undefined) this.#aim.x = target.x
    if (target.y !== undefined) this.#aim.y = target.y
    if (target.focus !== undefined) this.#focus.moveTo(clamp(target.focus, this.#options.travel.focus))
    if (target.objective !== undefined) this.#turnTo(this.#objectiveNamed(target.objective))
    const pixel = this.#toPixel(this.#aim)
    this.#x.moveTo(pixel.x)
    this.#y.moveTo(pixel.y)
  }

  /** Stands still at once, on the nearest pixel. A turret that is turning comes to its end: between two objectives there is no image. */
  stop(): void {
    for (const axis of [this.#x, this.#y, this.#focus]) axis.hold()
    const pixel = this.#toPixel({ x: this.#x.position, y: this.#y.position })
    Object.assign(this.#aim, pixel)
    this.#x.moveTo(pixel.x)
    this.#y.moveTo(pixel.y)
    this.#focus.moveTo(this.#focus.position)
  }

  /** Lets time pass up to `now`; the first call starts time. */
  step(now: Millis): StagePlace {
    let elapsed = Math.max(0, now - (this.#lastStep ?? now))
    this.#lastStep = now
    if (this.#change !== undefined) {
      const turning = Math.min(elapsed, this.#change.remaining)
      this.#change.remaining = millis(this.#change.remaining - turning)
      elapsed -= turning
      if (this.#change.remaining > 0) return this.place
      this.#objective = this.#change.to
      this.#change = undefined
    }
    for (const axis of [this.#x, this.#y, this.#focus]) axis.advance(millis(elapsed))
    return this.place
  }

  /** Where it is as of the last step. */
  get place(): StagePlace {
    const { x, y } = this.#toPixel({ x: this.#x.position, y: this.#y.position }, this.#objective)
    const isMoving = this.#change !== undefined || [this.#x, this.#y, this.#focus].some(axis => axis.isMoving)
    return { x, y, focus: this.#focus.position, objective: this.#objective.name, isMoving }
  }

  /** Where it will be when it has done what it was told. */
  get goal(): StagePlace {
    return { ...this.#toPixel(this.#aim), focus: this.#focus.target, objective: (this.#change?.to ?? this.#objective).name, isMoving: false }
  }

  #turnTo(objective: Objective): void {
    const current = this.#change?.to ?? this.#objective
    if (objective.name === current.name) return
    this.#change = { to: objective, remaining: OBJECTIVE_CHANGE }
    for (const axis of [this.#x, this.#y, this.#focus]) axis.hold()
  }

  /** The nearest whole pixel of the objective that will be in place. */
  #toPixel(position: { readonly x: number; readonly y: number }, { micrometresPerPixel } = this.#change?.to ?? this.#objective): { x: number; y: number } {
    const round = (value: number): number => Math.round(value / micrometresPerPixel) * micrometresPerPixel
    const { travel } = this.#options
    return { x: clamp(round(clamp(position.x, travel.x)), travel.x), y: clamp(round(clamp(position.y, travel.y)), travel.y) }
  }

  #objectiveNamed(name: string): Objective {
    const objective = this.#options.objectives.find(candidate => candidate.name === name)
    if (objective === undefined) throw new Error(`there is no ${name} objective`)
    return objective
  }
}
