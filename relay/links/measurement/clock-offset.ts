import { millis } from '../../wire/units.ts'
import { SlidingMinimum } from './sliding-minimum.ts'
import type { Millis } from '../../wire/units.ts'

/** Exchanges that the filter remembers, and for how long. */
const EXCHANGES = 64
const MEMORY = millis(60_000)
const SHORTEST_SLOT = millis(1000)
const SHORTEST_SLOTS = 60
/** No exchange takes longer. */
const MAX_ROUND_TRIP = millis(60_000)
/** Timestamps are rounded: a round trip may come out shorter than nothing by this much. */
const RESOLUTION = millis(0.01)
/** What an exchange's offset may be off by more, per millisecond of age. RFC 5905 section 7.3 calls it PHI. */
const FREQUENCY_TOLERANCE = 15e-6
/** Two clocks of computers drift apart by no more than this… */
const MAX_DRIFT = 500e-6
/** …and so much is let pass for timestamps taken late. */
const STEP_MARGIN = millis(1)
/** So many exchanges in a row that contradict the offset, and agree among themselves, mean that a clock was set. */
const STEP_AFTER = 3

/** `used`: the exchange counts. `refused`: it cannot be, or contradicts the others. `stepped`: a clock was set; all begins anew. */
export type ExchangeOutcome = 'used' | 'refused' | 'stepped'

interface Exchange {
  readonly at: number
  /** The far end's clock less ours, if both directions took equally long; it is off by no more than half the round trip. */
  readonly offset: number
  readonly roundTrip: number
}

/**
 * Offset of the far end's clock from ours, and the round trip, from exchanges of four timestamps. Does no I/O and reads
 * no clock.
 *
 * The exchange with the shortest round trip of late knows the offset best: queues add to one direction more than to the
 * other. Whatever the asymmetry, the true offset lies within half the round trip of what an exchange says, so that two
 * that exclude each other prove that one lies or that a clock was set.
 *
 * @see RFC 5905 sections 8 and 10, RFC 8762 section 4.2, RFC 6298 section 2
 */
export class ClockOffset {
  #exchanges: Exchange[] = []
  /** Contradict the ones above, and agree among themselves. */
  #dissent: Exchange[] = []
  #best: Exchange | undefined
  readonly #shortest = new SlidingMinimum(SHORTEST_SLOT, SHORTEST_SLOTS)
  #shortestNow: number | undefined
  #smoothed: number | undefined
  #variation = 0
  #refusals = 0
  #steps = 0
  #lastStep: number | undefined

  /** The far end's clock less ours; undefined before the first exchange. */
  get offset(): Millis | undefined {
    return this.#best && millis(this.#best.offset)
  }

  /** The offset is off by no more than this, as of the exchange that it comes from. */
  get offsetError(): Millis | undefined {
    return this.#best && millis(this.#best.roundTrip / 2)
  }

  /** SRTT of RFC 6298 section 2; undefined before the first exchange. */
  get roundTrip(): Millis | undefined {
    return this.#smoothed === undefined ? undefined : millis(this.#smoothed)
  }

  /** RTTVAR of RFC 6298 section 2. */
  get roundTripVariation(): Millis {
    return millis(this.#variation)
  }

  /** The shortest round trip of the last minute, as of the last exchange. */
  get shortestRoundTrip(): Millis | undefined {
    return this.#shortestNow === undefined ? undefined : millis(this.#shortestNow)
  }

  /** Exchanges refused so far. */
  get refusals(): number {
    return this.#refusals
  }

  /** Times that a clock was found to have been set. */
  get steps(): number {
    return this.#steps
  }

  /** By how much the offset changed when a clock was last set; either sign. */
  get lastStep(): Millis | undefined {
    return this.#lastStep === undefined ? undefined : millis(this.#lastStep)
  }

  /**
   * Takes an exchange.
   *
   * @param sentAt - When we asked; our clock.
   * @param receivedAt - When the question reached the far end; its clock.
   * @param repliedAt - When the far end answered; its clock.
   * @param arrivedAt - When the answer reached us; our clock.
   */
  exchange(sentAt: Millis, receivedAt: Millis, repliedAt: Millis, arrivedAt: Millis): ExchangeOutcome {
    const roundTrip = arrivedAt - sentAt - (repliedAt - receivedAt)
    const isPossible = repliedAt >= receivedAt && roundTrip + RESOLUTION >= 0 && arrivedAt - sentAt <= MAX_ROUND_TRIP
    const offset = (receivedAt - sentAt + (repliedAt - arrivedAt)) / 2
    if (!isPossible || !Number.isFinite(offset)) return this.#refuse()
    const exchange = { at: arrivedAt, offset, roundTrip: Math.max(0, roundTrip) }
    const best = this.#best
    if (best !== undefined && excludes(best, exchange)) return this.#contradict(exchange, best)
    this.#dissent = []
    this.#use(exchange)
    return 'used'
  }

  #refuse(): ExchangeOutcome {
    this.#refusals++
    return 'refused'
  }

  #contradict(exchange: Exchange, best: Exchange): ExchangeOutcome {
    if (this.#dissent.some(other => excludes(other, exchange))) this.#dissent = []
    this.#dissent.push(exchange)
    if (this.#dissent.length < STEP_AFTER) return this.#refuse()
    const agreed = this.#dissent
    this.#dissent = []
    this.#exchanges = []
    for (const dissenter of agreed) this.#use(dissenter)
    this.#steps++
    this.#lastStep = (this.#best ?? exchange).offset - best.offset
    return 'stepped'
  }

  #use(exchange: Exchange): void {
    const { at, roundTrip } = exchange
    this.#exchanges = this.#exchanges.filter(other => at - other.at <= MEMORY && at >= other.at).slice(1 - EXCHANGES)
    this.#exchanges.push(exchange)
    const doubt = (other: Exchange): number => other.roundTrip / 2 + FREQUENCY_TOLERANCE * (at - other.at)
    this.#best = this.#exchanges.reduce((best, other) => (doubt(other) <= doubt(best) ? other : best))
    this.#shortest.add(roundTrip, millis(at))
    this.#shortestNow = this.#shortest.minimum(millis(at))
    this.#smooth(roundTrip)
  }

  #smooth(roundTrip: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = roundTrip
      this.#variation = roundTrip / 2
      return
    }
    this.#variation += (Math.abs(this.#smoothed - roundTrip) - this.#variation) / 4
    this.#smoothed += (roundTrip - this.#smoothed) / 8
  }
}

/** Whether no offset, drift allowed for, is possible under both. */
function excludes(one: Exchange, other: Exchange): boolean {
  const allowance = (one.roundTrip + other.roundTrip) / 2 + MAX_DRIFT * Math.abs(other.at - one.at) + STEP_MARGIN
  return Math.abs(one.offset - other.offset) > allowance
}
