import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'
import type { Direction } from './link-snapshot.ts'
import type { StampDefect } from './stamp-packet.ts'

/** Median, 95th percentile (nearest rank) and maximum. */
export interface DelayQuantiles {
  readonly p50: Millis
  readonly p95: Millis
  readonly max: Millis
}

/**
 * Why a reply was not counted. `unsolicited`: answers nothing that was sent. `implausible`: says it was sent before
 * it was received, or kept longer than it was away.
 */
export type ReplyRefusal = StampDefect | 'unsolicited' | 'implausible'

/** What one test session measured. `out` is towards the reflector. */
export interface StampSummary {
  readonly sent: number
  /** Of those, how many were answered; duplicates count once. */
  readonly received: number
  /** Unanswered, but sent so late that an answer may still come; they count as neither received nor lost. */
  readonly pending: number
  /** Lost over sent, both ways together. 0 where nothing was sent. */
  readonly lossRatio: number
  /**
   * Lost on the way over what went that way, up to the last reply; what was lost after it cannot be told apart.
   * Undefined unless the reflector counts (is stateful), or nothing was lost.
   */
  readonly lossRatios: Readonly<Record<Direction, number | undefined>>
  /** Less the time that the reflector kept the packet; undefined without a reply. */
  readonly roundTrip: DelayQuantiles | undefined
  /** One-way delay over the shortest; needs no synchronised clocks, but steady ones. @see RFC 5481 section 4.2 */
  readonly delayVariation: Readonly<Record<Direction, DelayQuantiles | undefined>>
  /** The reflector's clock less ours, from the shortest round trip, assuming both ways of it alike. @see RFC 5905 section 8 */
  readonly clockOffset: Millis | undefined
  /** Copies that the network made; `out` only where the reflector counts, else they are in `in`. */
  readonly duplicates: Readonly<Record<Direction, number>>
  /** Packets overtaken by a later one; by direction only where the reflector counts. @see RFC 4737 section 3.3 */
  readonly reordered: Readonly<Record<Direction | 'roundTrip', number | undefined>>
  readonly refused: Readonly<Record<ReplyRefusal, number>>
}

/** Quantiles of some delays; undefined of none. Sorts `delays` in place. */
export function delayQuantiles(delays: Float64Array): DelayQuantiles | undefined {
  delays.sort()
  const at = (quantile: number): Millis => millis(delays[Math.max(0, Math.ceil(quantile * delays.length) - 1)] ?? NaN)
  return delays.length === 0 ? undefined : { p50: at(0.5), p95: at(0.95), max: at(1) }
}
