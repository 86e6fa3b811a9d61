import { isRtpNewer } from './rtp-clock.ts'
import { rtpTimestamp } from './units.ts'
import type { StageState } from './stage.ts'
import type { RtpTimestamp } from './units.ts'

/** Some half a minute of a stage that moves all the time. */
const CAPACITY = 1024

type Place = Pick<StageState, 'x' | 'y' | 'objective'>

/** Remembers where the stage was when each image was taken. Does no I/O. */
export class PlaceHistory {
  #timed: { readonly since: RtpTimestamp; readonly place: Place }[] = []
  #latest: Place | undefined

  /** The stage said where it is; with the first image taken there, once that is known. */
  told({ x, y, objective, rtpTimestamp: since }: StageState): void {
    this.#latest = { x, y, objective }
    if (since === null) return
    const last = this.#timed.at(-1)
    const at = rtpTimestamp(since)
    if (last !== undefined && !isRtpNewer(at, last.since)) return
    this.#timed.push({ since: at, place: this.#latest })
    if (this.#timed.length > CAPACITY) this.#timed.shift()
  }

  /** Another microscope, or none. */
  restart(state?: StageState): void {
    this.#timed = []
    this.#latest = undefined
    if (state !== undefined) this.told(state)
  }

  /** Where the stage was when that image was taken; undefined where there is none. Of images older than what is remembered, the oldest place that is. */
  at(image: RtpTimestamp): Place | undefined {
    const known = this.#timed.findLast(({ since }) => !isRtpNewer(since, image))
    return known?.place ?? this.#timed[0]?.place ?? this.#latest
  }
}
