import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import type { PictureState } from './messages.ts'

/** One instant that was drawn. */
export interface DrawnInstant {
  readonly rtpTimestamp: RtpTimestamp
  /** When its first drawing was issued, in milliseconds since the epoch on the page's clock. */
  readonly drawnAtMs: number
}

/** Instants kept; the oldest goes first. */
const CAPACITY = 512

/** The last instants that were drawn, from the drawing worker's reports. */
export class DrawLog {
  #entries: DrawnInstant[] = []

  /** Oldest first. */
  get entries(): readonly DrawnInstant[] {
    return this.#entries
  }

  /** Takes one report; several may speak of the same instant. */
  take({ shown, instantDrawnAtMs }: Pick<PictureState, 'shown' | 'instantDrawnAtMs'>): void {
    if (shown === null || instantDrawnAtMs === null || this.#entries.at(-1)?.drawnAtMs === instantDrawnAtMs) return
    this.#entries = [...this.#entries.slice(1 - CAPACITY), { rtpTimestamp: shown.rtpTimestamp, drawnAtMs: instantDrawnAtMs }]
  }
}
