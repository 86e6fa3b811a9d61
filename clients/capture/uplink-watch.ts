import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { BitsPerSecond } from '../../relay/wire/units.ts'
import type { UplinkMeter } from './carrier.ts'

/** How often the estimate is looked at. */
const INTERVAL = millis(100)
/** The node hears of changes by more than this… */
const NEWS = 0.03
/** …and no more often than this, unless the estimate fell. */
const REPORT_INTERVAL = millis(500)

/** What {@link UplinkWatch} needs. */
export interface UplinkWatchOptions {
  readonly meter: UplinkMeter
  /** The line is known: the node hears of it before anything was measured. */
  readonly isKnown: boolean
  readonly clock: Clock
  readonly onLimit: (rate: BitsPerSecond) => void
  readonly onReport: (rate: BitsPerSecond) => void
}

/** Keeps pacer and node up to date with what the line carries, once it has shown a limit. */
export class UplinkWatch implements Disposable {
  readonly #options: UplinkWatchOptions
  readonly #timer: NodeJS.Timeout
  #reported: BitsPerSecond | undefined
  #reportedAt = -Infinity

  constructor(options: UplinkWatchOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#step(), INTERVAL)
    this.#step()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #step(): void {
    const { meter, isKnown, clock, onLimit, onReport } = this.#options
    const now = clock.now()
    const rate = meter.step(now)
    if (!isKnown && !meter.isLimited) return
    onLimit(rate)
    const before = this.#reported
    const isNews = before === undefined || Math.abs(rate - before) > NEWS * before
    if (!isNews || (before !== undefined && rate > before && now - this.#reportedAt < REPORT_INTERVAL)) return
    this.#reported = rate
    this.#reportedAt = now
    onReport(bitsPerSecond(Math.round(rate)))
  }
}
