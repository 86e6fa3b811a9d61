import type { FaultCode } from '../../relay/wire/fault.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { BitsPerSecond, Millis } from '../../relay/wire/units.ts'
import type { FileLook } from './file-settling.ts'

/** How far a slide of the queue is. `waiting` for its file or its turn; `done` and `failed` are left only when the file changes or is given again. */
export const JOB_STATES = ['waiting', 'preparing', 'sending', 'done', 'failed'] as const
export type JobState = (typeof JOB_STATES)[number]

/** How much of a slide has arrived, of what is known so far. */
export interface SentCounts {
  readonly chunks: number
  readonly chunksDone: number
  readonly bytes: number
  readonly bytesDone: number
}

/** How far a slide is on its way. */
export interface SlideProgress {
  /** `making` levels that the file lacks; `sending` from the first chunk that arrived; finer levels may still be prepared beside it. */
  readonly stage: 'making' | 'preparing' | 'sending'
  /** Tiles made or read, and how many there are. */
  readonly tiles: number
  readonly tilesDone: number
  readonly sent: SentCounts
  readonly rate: BitsPerSecond | undefined
  /** Until all has arrived; undefined while that cannot be known. */
  readonly remaining: Millis | undefined
}

/** One slide of the queue. */
export interface ScanJob {
  /** Made at random when the file was first given; kept over restarts. */
  readonly slideId: SlideId
  /** Absolute. May hold a patient's name: never in a log. */
  readonly path: string
  /** As the file was when it was taken to be complete; undefined before. */
  readonly look: FileLook | undefined
  readonly state: JobState
  /** That ended in a failure which may pass. */
  readonly attempts: number
  /** Why it failed, or was last put back. */
  readonly fault: FaultCode | undefined
  readonly sent: SentCounts
}
