import type { StageState } from '../../relay/wire/stage.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'
import type { StagePosition } from './encoded-frame.ts'

/** An image that is not placed after so many looks never will be. */
const MOST_LOOKS = 20

/**
 * Says where the stage is, and, as soon as they are known, the RTP timestamps of the images that show it: an
 * image has its place on the RTP clock only when it was encoded. Reads no clock: whoever owns one calls
 * {@link look} from time to time while {@link isWaiting}.
 */
export class StageReporter {
  readonly #timestampOf: (mediaTicks: number) => RtpTimestamp | undefined
  #newest: StagePosition | undefined
  #said: Pick<StageState, 'rtpTimestamp' | 'obeyed'> | undefined
  #looksLeft = 0

  /** @param timestampOf - Where an image stands on the RTP clock; undefined before it was encoded. */
  constructor(timestampOf: (mediaTicks: number) => RtpTimestamp | undefined) {
    this.#timestampOf = timestampOf
  }

  /** The stage is somewhere else. @returns What is known of that now. */
  moved(position: StagePosition): StageState {
    this.#newest = position
    this.#looksLeft = MOST_LOOKS
    return this.#tell(position)
  }

  /** An image is still to be placed. */
  get isWaiting(): boolean {
    const newest = this.#newest
    if (newest === undefined || this.#looksLeft === 0) return false
    return (newest.mediaTicks !== undefined && this.#said?.rtpTimestamp === null) || (newest.obeyed?.mediaTicks !== undefined && this.#said?.obeyed?.rtpTimestamp === null)
  }

  /** @returns What became known since; undefined for nothing. */
  look(): StageState | undefined {
    if (this.#newest === undefined || !this.isWaiting) return undefined
    this.#looksLeft--
    const before = this.#said
    const state = this.#tell(this.#newest)
    const isNews = state.rtpTimestamp !== before?.rtpTimestamp || state.obeyed?.rtpTimestamp !== before.obeyed?.rtpTimestamp
    return isNews ? state : undefined
  }

  #tell({ state, mediaTicks, obeyed }: StagePosition): StageState {
    const place = (ticks: number | undefined): RtpTimestamp | null => (ticks === undefined ? null : (this.#timestampOf(ticks) ?? null))
    const said = { rtpTimestamp: place(mediaTicks), obeyed: obeyed === undefined ? null : { command: obeyed.command, rtpTimestamp: place(obeyed.mediaTicks) } }
    this.#said = said
    return { ...state, ...said }
  }
}
