import { StageModel } from './stage-model.ts'
import type { Stage, StageTarget } from '../../relay/wire/stage.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { StageControl, StagePosition } from './encoded-frame.ts'
import type { StageModelOptions, StagePlace } from './stage-model.ts'

const samePlace = (a: StagePlace, b: StagePlace): boolean =>
  a.x === b.x && a.y === b.y && a.focus === b.focus && a.objective === b.objective && a.isMoving === b.isMoving

/**
 * The stage as a source shows it: obeys commands, and says where it is as its images are taken.
 * Reads no clock. Outlives the runs of its source.
 */
export class SimulatedStage implements StageControl {
  readonly #model: StageModel
  readonly #limits: Pick<Stage, 'objectives' | 'travel'>
  #reported: StagePosition
  #listener: ((position: StagePosition) => void) | undefined

  constructor(options: StageModelOptions) {
    this.#model = new StageModel(options)
    this.#limits = { objectives: options.objectives, travel: options.travel }
    this.#reported = { state: this.#model.place, mediaTicks: undefined, obeyed: undefined }
  }

  get stage(): Stage {
    return { ...this.#limits, state: { ...this.#reported.state, rtpTimestamp: null, obeyed: null } }
  }

  command(target: StageTarget, command: number): void {
    this.#model.command(target)
    this.#taken(command)
  }

  stop(command: number): void {
    this.#model.stop()
    this.#taken(command)
  }

  onPosition(listener: (position: StagePosition) => void): void {
    this.#listener = listener
  }

  /** A run of the source begins: images of an earlier one have another time. */
  restart(): void {
    const { state, obeyed } = this.#reported
    this.#reported = { state, mediaTicks: undefined, obeyed: obeyed && { ...obeyed, mediaTicks: undefined } }
  }

  /** Where it is going. */
  get goal(): StagePlace {
    return this.#model.goal
  }

  /** Lets time pass; the place is where an image that is taken now is taken. */
  advance(now: Millis): StagePlace {
    return this.#model.step(now)
  }

  /**
   * Says where the stage is since the last {@link advance}, if that is news.
   *
   * @param mediaTicks - Of the image that was taken there; undefined when none was.
   */
  report(mediaTicks: number | undefined): void {
    const state = this.#model.place
    const isNews = !samePlace(state, this.#reported.state)
    const { mediaTicks: shown, obeyed } = this.#reported
    const isFirstImage = mediaTicks !== undefined && (shown === undefined || (obeyed !== undefined && obeyed.mediaTicks === undefined))
    if (!isNews && !isFirstImage) return
    const firstThere = isNews ? mediaTicks : (shown ?? mediaTicks)
    this.#reported = { state, mediaTicks: firstThere, obeyed: obeyed && { ...obeyed, mediaTicks: obeyed.mediaTicks ?? mediaTicks } }
    this.#listener?.(this.#reported)
  }

  #taken(command: number): void {
    const { state, mediaTicks } = this.#reported
    this.#reported = { state, mediaTicks, obeyed: { command, mediaTicks: undefined } }
    this.#listener?.(this.#reported)
  }
}
