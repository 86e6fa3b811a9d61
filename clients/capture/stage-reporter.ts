import type { StageState } from '../../relay/wire/stage.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'
import type { StagePosition } from './encoded-frame.ts'

/** An image that is not placed after so many looks never will be. */
const MOST_LOOKS = 40
/** Positions that wait for the place of their image; of more, the oldest goes without. */
const MAX_WAITING = 256

/**
 * Says where the stage was, position after position, with the RTP timestamps of the images that show it: an
 * image has its place on the RTP clock only when it was encoded, and a position waits for that. Reads no clock:
 * whoever owns one calls {@link take} from time to time while {@link isWaiting}.
 */
export class StageReporter {
  readonly #timestampOf: (mediaTicks: number) => RtpTimestamp | undefined
  /** The latest command of the node that is reported to; it numbers them from 1. */
  #given = 0
  #waiting: { readonly position: StagePosition; looksLeft: number }[] = []

  /** @param timestampOf - Where an image stands on the RTP clock; undefined before it was encoded. */
  constructor(timestampOf: (mediaTicks: number) => RtpTimestamp | undefined) {
    this.#timestampOf = timestampOf
  }

  /** The node gave a command. What the stage obeyed of an earlier node, this one knows nothing of. */
  commanded(command: number): void {
    this.#given = Math.max(this.#given, command)
  }

  /** The stage is somewhere else, or took a command. */
  moved(position: StagePosition): void {
    this.#waiting.push({ position, looksLeft: MOST_LOOKS })
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift()
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** @returns What can be told now, in its order. */
  take(): readonly StageState[] {
    const ready: StageState[] = []
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      const { position: { state, mediaTicks, obeyed } } = first
      const rtpTimestamp = this.#place(mediaTicks)
      if (mediaTicks !== undefined && rtpTimestamp === null && first.looksLeft-- > 0) break
      this.#waiting.shift()
      ready.push({ ...state, rtpTimestamp, obeyed: obeyed === undefined || obeyed.command > this.#given ? null : { command: obeyed.command, rtpTimestamp: this.#place(obeyed.mediaTicks) } })
    }
    return ready
  }

  #place(mediaTicks: number | undefined): RtpTimestamp | null {
    return mediaTicks === undefined ? null : (this.#timestampOf(mediaTicks) ?? null)
  }
}
