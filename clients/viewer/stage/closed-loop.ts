import { isRtpNewer } from '../../../relay/wire/rtp-clock.ts'
import type { StageState } from '../../../relay/wire/stage.ts'
import { millis, rtpTimestamp } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import type { DrawnInstant } from '../picture/draw-log.ts'

/** Commands of which neither answer nor image came are forgotten when so many wait. */
const MAX_WAITING = 64
/** Latencies that the median is over. */
const KEPT = 31

/** A command on its way round. */
interface Waiting {
  readonly command: number
  readonly sentAtMs: number
  /** Of the first image that shows it, once the stage said so. */
  shownBy?: number
}

/**
 * Measures how long a command takes to come back as a picture: from its sending until the drawing of the first
 * instant whose image was taken with the stage obeying it. Times are on the page's clock; reads none.
 */
export class ClosedLoop {
  #waiting: Waiting[] = []
  #latencies: readonly Millis[] = []

  /** The last latencies, oldest first. */
  get latencies(): readonly Millis[] {
    return this.#latencies
  }

  /** Their median; undefined before there is one. */
  get median(): Millis | undefined {
    return [...this.#latencies].sort((a, b) => a - b)[Math.floor(this.#latencies.length / 2)]
  }

  /** A command was sent, in milliseconds since the epoch, and has got its number. */
  sent(command: number, sentAtMs: number): void {
    this.#waiting = [...this.#waiting.slice(1 - MAX_WAITING), { command, sentAtMs }]
  }

  /** The stage said where it is. */
  told({ obeyed }: Pick<StageState, 'obeyed'>, drawn: readonly DrawnInstant[]): void {
    if (obeyed === null) return
    // Of a command that was overtaken by the next one there is no image of its own.
    this.#waiting = this.#waiting.filter(({ command, shownBy }) => command >= obeyed.command || shownBy !== undefined)
    const waiting = this.#waiting.find(({ command }) => command === obeyed.command)
    if (waiting !== undefined && obeyed.rtpTimestamp !== null) waiting.shownBy = obeyed.rtpTimestamp
    this.drawn(drawn)
  }

  /** Something was drawn. @param drawn - What has been of late, oldest first. */
  drawn(drawn: readonly DrawnInstant[]): void {
    for (const { command, sentAtMs, shownBy } of this.#waiting) {
      if (shownBy === undefined) continue
      const first = drawn.find(instant => instant.drawnAtMs >= sentAtMs && !isRtpNewer(rtpTimestamp(shownBy), instant.rtpTimestamp))
      if (first === undefined) continue
      this.#waiting = this.#waiting.filter(waiting => waiting.command !== command)
      this.#latencies = [...this.#latencies.slice(1 - KEPT), millis(first.drawnAtMs - sentAtMs)]
    }
  }

  /** Another microscope: its clock and its numbers are others. */
  restart(): void {
    this.#waiting = []
    this.#latencies = []
  }
}
