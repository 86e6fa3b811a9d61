import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'

/** Exchanges remembered. @see RFC 5905 section 10: the clock filter has eight stages */
const STAGES = 8
/** How fast two clocks may drift apart, in seconds per second. @see RFC 5905 section 11.1, PHI */
const DRIFT = 15e-6

/** One question to the node's clock and its answer; times are milliseconds since the epoch, each on its own clock. */
export interface ClockExchange {
  /** On the page's clock. */
  readonly sentAtMillis: number
  /** On the node's clock. */
  readonly nodeTimeMillis: number
  /** On the page's clock. */
  readonly receivedAtMillis: number
}

/** How far the node's clock is from the page's. */
export interface ClockEstimate {
  /** The node's clock less the page's. */
  readonly offset: Millis
  /** The offset is wrong by at most this. */
  readonly error: Millis
}

/**
 * Estimates the node's clock from exchanges over the signaling connection: of the last ones, the one whose
 * answer was quickest is believed, its error growing with its age. The answer was written somewhere between
 * question and receipt, so the error is at most half of what lies between. Two exchanges that exclude each
 * other mean that a clock was set or a machine slept: then only what came last counts. Reads no clock.
 *
 * @see RFC 5905 sections 8 and 10
 */
export class NodeClock {
  #exchanges: { readonly offset: Millis; readonly error: Millis; readonly at: number }[] = []

  /** Takes one exchange. One that was answered before it was asked counts for nothing. */
  take({ sentAtMillis, nodeTimeMillis, receivedAtMillis }: ClockExchange): void {
    if (receivedAtMillis < sentAtMillis) return
    const taken = {
      offset: millis(nodeTimeMillis - (sentAtMillis + receivedAtMillis) / 2),
      error: millis((receivedAtMillis - sentAtMillis) / 2),
      at: receivedAtMillis,
    }
    const known = this.estimate(receivedAtMillis)
    const isContradicted = known !== undefined && Math.abs(known.offset - taken.offset) > known.error + taken.error
    this.#exchanges = [...(isContradicted ? [] : this.#exchanges.slice(1 - STAGES)), taken]
  }

  /** @param nowMillis - On the page's clock. @returns undefined before the first exchange. */
  estimate(nowMillis: number): ClockEstimate | undefined {
    let best: ClockEstimate | undefined
    for (const { offset, error, at } of this.#exchanges) {
      const aged = millis(error + DRIFT * Math.max(0, nowMillis - at))
      if (best === undefined || aged <= best.error) best = { offset, error: aged }
    }
    return best
  }

  /** Another node, or the same one started anew: its clock may be another. */
  reset(): void {
    this.#exchanges = []
  }
}
