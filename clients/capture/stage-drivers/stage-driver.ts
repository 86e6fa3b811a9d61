import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { Stage, StageTarget } from '../../../relay/wire/stage.ts'

/** A place as a motorised stage tells it, in micrometres. */
export interface DrivenPlace {
  readonly x: number
  readonly y: number
  readonly focus: number
  readonly isMoving: boolean
  /** Number of the last command that the stage itself acknowledged; undefined before one. */
  readonly command: number | undefined
}

/** How a stage is. */
export type DriverState =
  /** It answers, and is there. */
  | { readonly kind: 'ready'; readonly place: DrivenPlace }
  /** It does not answer, or not sensibly, and was last known there. The driver goes on trying. */
  | { readonly kind: 'interrupted'; readonly place: DrivenPlace; readonly code: FaultCode }

/** Moves a motorised stage. What is wanted of it never waits and never throws: what became of it, the state tells. See `docs/STAGE-DRIVERS.md`. */
export interface StageDriver extends AsyncDisposable {
  /** What it can do. */
  readonly limits: Pick<Stage, 'objectives' | 'travel'>
  /** The objective in place. */
  readonly objective: string
  readonly state: DriverState
  /** Called whenever the state changed. One listener; a later one replaces it. */
  onState(listener: (state: DriverState) => void): void
  /** Goes there as fast as it can; of each axis the latest target counts. Within its limits. Dropped while interrupted. @param command - Grows. */
  moveTo(target: StageTarget, command: number): void
  /** Stands still, wherever it is, ahead of anything that waits; while interrupted, as soon as the stage can be reached. */
  stop(command: number): void
}
