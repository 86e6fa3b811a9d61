import type { Clock } from '../../../relay/runtime/clock.ts'
import type { Logger } from '../../../relay/runtime/log.ts'
import type { Stage, StageTarget } from '../../../relay/wire/stage.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { StageControl, StagePosition } from '../encoded-frame.ts'
import type { DriverState, StageDriver } from './stage-driver.ts'

/** What a {@link DrivenStage} stands on. */
export interface DrivenStageOptions {
  readonly driver: StageDriver
  /** An image that arrives so long after the stage said where it is was surely taken there. */
  readonly cameraDelay: Millis
  readonly clock: Clock
  readonly log: Logger
}

/** The stage of a real microscope beside its camera: passes on what is wanted, and says which image first shows where the driver says it is. */
export class DrivenStage implements StageControl {
  readonly #options: DrivenStageOptions
  #state: DriverState
  #since: Millis
  #mediaTicks: number | undefined
  #obeyed: { readonly command: number; readonly mediaTicks: number | undefined } | undefined
  #listener: ((position: StagePosition) => void) | undefined

  constructor(options: DrivenStageOptions) {
    this.#options = options
    this.#state = options.driver.state
    this.#since = options.clock.now()
    options.driver.onState(state => this.#heard(state))
  }

  get stage(): Stage {
    return { ...this.#options.driver.limits, state: { ...this.#position.state, rtpTimestamp: null, obeyed: null } }
  }

  command(target: StageTarget, command: number): void {
    this.#options.driver.moveTo(target, command)
  }

  stop(command: number): void {
    this.#options.driver.stop(command)
  }

  onPosition(listener: (position: StagePosition) => void): void {
    this.#listener = listener
  }

  /** A run of the source begins: images of an earlier one have another time. */
  restart(): void {
    this.#mediaTicks = undefined
    this.#obeyed &&= { ...this.#obeyed, mediaTicks: undefined }
  }

  /** An image came from the camera. */
  imageArrived(mediaTicks: number): void {
    if (this.#state.kind === 'interrupted' || this.#options.clock.now() < this.#since + this.#options.cameraDelay) return
    if (this.#mediaTicks !== undefined && (this.#obeyed === undefined || this.#obeyed.mediaTicks !== undefined)) return
    this.#mediaTicks ??= mediaTicks
    this.#obeyed &&= { ...this.#obeyed, mediaTicks: this.#obeyed.mediaTicks ?? mediaTicks }
    this.#listener?.(this.#position)
  }

  #heard(state: DriverState): void {
    const { log, clock } = this.#options
    if (state.kind !== this.#state.kind) log[state.kind === 'ready' ? 'info' : 'warn']({ code: state.kind === 'ready' ? undefined : state.code }, state.kind === 'ready' ? 'the stage answers' : 'the stage is interrupted')
    this.#state = state
    this.#since = clock.now()
    this.#mediaTicks = undefined
    const { command } = state.place
    if (command !== undefined && command !== this.#obeyed?.command) this.#obeyed = { command, mediaTicks: undefined }
    this.#listener?.(this.#position)
  }

  get #position(): StagePosition {
    const { x, y, focus, isMoving } = this.#state.place
    return {
      state: { x, y, focus, objective: this.#options.driver.objective, isMoving },
      mediaTicks: this.#mediaTicks, obeyed: this.#obeyed,
    }
  }
}
