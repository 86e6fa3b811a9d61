import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import type { BitsPerSecond, Millis } from '../../relay/wire/units.ts'

/** What is reckoned with before anything was measured: more than any viewport needs. */
export const INITIAL_DOWNLINK = bitsPerSecond(200e6)
/** A line below this shows the overview and one tile, whatever it carries. */
const FLOOR = bitsPerSecond(1e6)
/** The line has to be short for so long before it counts, and between two decreases. */
const CONFIRM = millis(300)
/** No decrease takes more than this part of what flows: the next one comes soon enough. */
const MAX_STEP = 0.25
/** A round trip so much longer than the shortest one is a queue… */
const QUEUE_LIMIT = millis(50)
/** …and so much loss a queue that overflows. */
const LOSS_LIMIT = 0.04
/** The shortest round trip is remembered for so long: routes change. */
const BASE_MEMORY = millis(60_000)
/** After a decrease, the line gets so long to drain. */
const HOLD = millis(3000)
/** How fast a budget that is used up grows, per second. */
const GROWTH = 0.06
/** Less of it in use says nothing about what more the line would carry. */
const IN_USE = 0.75

/** One reading of the congestion controller. */
export interface BandwidthReading {
  /** mediasoup's estimate of what the line carries. */
  readonly available: BitsPerSecond
  /** What is admitted to it now. */
  readonly flowing: BitsPerSecond
  /** From the viewer's latest receiver reports; undefined before there are any. @see RFC 3550 section 6.4.1 */
  readonly roundTrip: Millis | undefined
  /** Share of packets lost, from the same. */
  readonly lossRatio: number
}

/**
 * What may be admitted to one viewer's line. Does no I/O and reads no clock.
 *
 * mediasoup's estimate never exceeds 1.35 times what flows, so that a small one says nothing while
 * little flows: it counts as a limit only when it stays below what flows. It also falls when the viewer's
 * machine is too busy to answer in time, so that it counts only where a queue or loss is seen as well.
 * From there the budget grows slowly while it is used up, tile by tile.
 */
export class DownlinkBudget {
  #budget: BitsPerSecond
  #claimed: BitsPerSecond | undefined
  #shortSince: Millis | undefined
  #decreasedAt = millis(-Infinity)
  #readAt: Millis | undefined
  #shortest: { readonly roundTrip: Millis; readonly at: Millis } | undefined

  constructor() {
    this.#budget = INITIAL_DOWNLINK
  }

  /** What may be admitted now. */
  get bitsPerSecond(): BitsPerSecond {
    return bitsPerSecond(Math.min(this.#budget, this.#claimed ?? Infinity))
  }

  /** What the viewer says that its line carries; never more than that is admitted. */
  claim(rate: BitsPerSecond | undefined): void {
    this.#claimed = rate
  }

  /** Takes a reading. */
  read({ available, flowing, roundTrip, lossRatio }: BandwidthReading, now: Millis): void {
    const elapsed = Math.min(1000, now - (this.#readAt ?? now))
    this.#readAt = now
    const isQueued = this.#isQueued(roundTrip, now)
    const isShort = isBelow({ available, flowing }) && (isQueued || lossRatio > LOSS_LIMIT)
    if (!isShort) this.#shortSince = undefined
    else this.#shortSince ??= now
    if (this.#shortSince !== undefined && now - this.#shortSince >= CONFIRM && now - this.#decreasedAt >= CONFIRM) {
      this.#budget = bitsPerSecond(Math.max(FLOOR, Math.min(this.#budget, Math.max(available, flowing * (1 - MAX_STEP)))))
      this.#decreasedAt = now
      return
    }
    if (isShort || now - this.#decreasedAt < HOLD || flowing < IN_USE * this.#budget) return
    this.#budget = bitsPerSecond(Math.min(INITIAL_DOWNLINK, this.#budget * (1 + (GROWTH * elapsed) / 1000)))
  }

  #isQueued(roundTrip: Millis | undefined, now: Millis): boolean {
    if (roundTrip === undefined) return false
    const shortest = this.#shortest
    if (shortest === undefined || roundTrip <= shortest.roundTrip || now - shortest.at > BASE_MEMORY) this.#shortest = { roundTrip, at: now }
    return roundTrip - (this.#shortest?.roundTrip ?? roundTrip) > QUEUE_LIMIT
  }
}

/** Whether an estimate is lower than what flows. */
const isBelow = ({ available, flowing }: Pick<BandwidthReading, 'available' | 'flowing'>): boolean => available < flowing * 0.95
