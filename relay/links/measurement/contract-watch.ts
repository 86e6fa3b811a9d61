import { millis } from '../../wire/units.ts'
import { Hysteresis } from './hysteresis.ts'
import { SlidingSum } from './sliding-sum.ts'
import type { LinkContract, LinkPromise, PathName } from '../../wire/link.ts'
import type { Millis } from '../../wire/units.ts'
import type { Direction, LinkSnapshot, PathSnapshot, PathTotals } from './link-snapshot.ts'
import type { Finding } from './path-watch.ts'

/** Promises are judged over the last minute, except availability. */
const SLOT = millis(5000)
const SLOTS = 12
const WINDOW_SECONDS = (SLOT * SLOTS) / 1000
/** Availability is judged over the last hour: in a minute, any outage would break it. */
const AVAILABILITY_SLOT = millis(60_000)
const AVAILABILITY_SLOTS = 60
const AVAILABILITY_SECONDS = (AVAILABILITY_SLOT * AVAILABILITY_SLOTS) / 1000
/** A broken promise counts as kept again once it was kept for so long. */
const KEPT_AFTER = millis(60_000)
/** Round trips that are judged, one per observation, and the fewest that say anything. */
const ROUND_TRIPS = 120
const FEWEST_ROUND_TRIPS = 60
/** Fewer packets say nothing about a ratio. */
const FEWEST_PACKETS = 1000
/** The rate is judged once it was needed for so long. */
const NEEDED = millis(10_000)
/** More of the capacity in use than this needs it… */
const IN_USE = 0.8
/** …and so much of a promised rate is the rate: an estimate wavers. */
const ENOUGH = 0.95

/** Which end of a link this is: rates are promised up and down from the one that opens it. */
export type LinkEnd = 'opener' | 'accepter'

interface Judgement {
  readonly isBroken: boolean
  readonly evidence: Finding['evidence']
}

/**
 * Finds out when a link is worse than promised, and when it keeps the promise again. Does no I/O and reads no clock.
 *
 * Round trip: median of the best living path. Loss: over all paths, each direction for itself. Rate: what this end
 * takes the living paths to carry from here, while it is in use or packets wait; the other direction is for the far end
 * to judge. Availability: the part of the last hour in which some path lived, counted from the first time.
 */
export class ContractWatch {
  readonly #contract: LinkContract
  readonly #end: LinkEnd
  readonly #alarms = new Map<string, Hysteresis>()
  readonly #roundTrips = new Float64Array(ROUND_TRIPS)
  #roundTripsTaken = 0
  readonly #lost: Readonly<Record<Direction, SlidingSum>> = { in: new SlidingSum(SLOT, SLOTS), out: new SlidingSum(SLOT, SLOTS) }
  readonly #sent: Readonly<Record<Direction, SlidingSum>> = { in: new SlidingSum(SLOT, SLOTS), out: new SlidingSum(SLOT, SLOTS) }
  readonly #neededMillis = new SlidingSum(SLOT, SLOTS)
  /** Capacity times the milliseconds in which it was needed. */
  readonly #carried = new SlidingSum(SLOT, SLOTS)
  readonly #downMillis = new SlidingSum(AVAILABILITY_SLOT, AVAILABILITY_SLOTS)
  #wasEverUp = false
  #before = new Map<PathName, PathSnapshot['totals']>()

  constructor(contract: LinkContract, end: LinkEnd) {
    this.#contract = contract
    this.#end = end
  }

  /** Takes the link as it is, `elapsed` after the last time. */
  observe(link: Pick<LinkSnapshot, 'paths' | 'classes'>, now: Millis, elapsed: Millis): Finding[] {
    const living = link.paths.filter(path => path.state === 'up')
    this.#measureAvailability(living.length > 0, now, elapsed)
    this.#measureRoundTrip(living)
    this.#measureLoss(link.paths, now)
    this.#measureRate(link, living, now, elapsed)
    const { promise } = this.#contract
    return [
      ...this.#decide('roundTripMillis', this.#judgeRoundTrip(promise), now),
      ...this.#decide('lossRatioIn', this.#judgeLoss('in', promise, now), now),
      ...this.#decide('lossRatioOut', this.#judgeLoss('out', promise, now), now),
      ...this.#decide('bitsPerSecond', this.#judgeRate(promise, now), now),
      ...this.#decide('availability', this.#judgeAvailability(promise, now), now),
    ]
  }

  #decide(term: string, judgement: Judgement | undefined, now: Millis): Finding[] {
    if (judgement === undefined) return []
    let alarm = this.#alarms.get(term)
    if (alarm === undefined) this.#alarms.set(term, (alarm = new Hysteresis(millis(0), KEPT_AFTER)))
    const brokenAt = alarm.raisedAt
    const verdict = alarm.observe(judgement.isBroken, now)
    if (verdict === undefined) return []
    if (verdict === 'raised') return [{ kind: 'contract_broken', evidence: { term, ...judgement.evidence } }]
    return [{ kind: 'contract_kept', evidence: { term, ...judgement.evidence, brokenMillis: now - (brokenAt ?? now) } }]
  }

  #measureAvailability(isUp: boolean, now: Millis, elapsed: Millis): void {
    this.#wasEverUp ||= isUp
    if (this.#wasEverUp && !isUp) this.#downMillis.add(elapsed, now)
  }

  #judgeAvailability({ availability: promised }: LinkPromise, now: Millis): Judgement | undefined {
    if (promised === undefined || !this.#wasEverUp) return undefined
    const downSeconds = this.#downMillis.total(now) / 1000
    const availability = Math.max(0, 1 - downSeconds / AVAILABILITY_SECONDS)
    return { isBroken: availability < promised, evidence: { availability, promisedAvailability: promised, downSeconds, windowSeconds: AVAILABILITY_SECONDS } }
  }

  #measureRoundTrip(living: readonly PathSnapshot[]): void {
    const known = living.flatMap(path => path.roundTrip ?? [])
    if (known.length > 0) this.#roundTrips[this.#roundTripsTaken++ % ROUND_TRIPS] = Math.min(...known)
  }

  #judgeRoundTrip({ roundTripMillis: promised }: LinkPromise): Judgement | undefined {
    if (promised === undefined || this.#roundTripsTaken < FEWEST_ROUND_TRIPS) return undefined
    const sorted = this.#roundTrips.slice(0, Math.min(this.#roundTripsTaken, ROUND_TRIPS)).sort()
    const roundTripMillis = sorted[Math.ceil(sorted.length / 2) - 1] ?? 0
    return { isBroken: roundTripMillis > promised, evidence: { roundTripMillis, promisedRoundTripMillis: promised, windowSeconds: WINDOW_SECONDS } }
  }

  #measureLoss(paths: readonly PathSnapshot[], now: Millis): void {
    for (const direction of ['in', 'out'] as const) {
      for (const { path, totals } of paths) {
        const before = this.#before.get(path)?.[direction] ?? totals[direction]
        this.#lost[direction].add(Math.max(0, totals[direction].lostPackets - before.lostPackets), now)
        this.#sent[direction].add(Math.max(0, sentPackets(totals[direction]) - sentPackets(before)), now)
      }
    }
    this.#before = new Map(paths.map(({ path, totals }) => [path, totals]))
  }

  #judgeLoss(direction: Direction, { lossRatio: promised }: LinkPromise, now: Millis): Judgement | undefined {
    const sent = this.#sent[direction].sum(now)
    if (promised === undefined || sent < FEWEST_PACKETS) return undefined
    const lostPackets = this.#lost[direction].sum(now)
    const lossRatio = lostPackets / sent
    return { isBroken: lossRatio > promised, evidence: { lossRatio, promisedLossRatio: promised, lostPackets, sentPackets: sent, windowSeconds: WINDOW_SECONDS } }
  }

  #measureRate({ classes }: Pick<LinkSnapshot, 'classes'>, living: readonly PathSnapshot[], now: Millis, elapsed: Millis): void {
    const known = living.flatMap(({ capacity }) => capacity ?? [])
    // What was never used is not known to carry less than promised.
    if (known.length < living.length) return
    const capacity = known.reduce((sum, rate) => sum + rate, 0)
    const used = living.reduce((sum, path) => sum + path.gauges.out.throughput, 0)
    const isWaiting = classes.some(one => one.queueDelay > this.#contract.traffic[one.class].queueDelayMillis)
    if (living.length === 0 || (used < IN_USE * capacity && !isWaiting)) return
    this.#neededMillis.add(elapsed, now)
    this.#carried.add(elapsed * capacity, now)
  }

  #judgeRate(promise: LinkPromise, now: Millis): Judgement | undefined {
    const promised = this.#end === 'opener' ? promise.upBitsPerSecond : promise.downBitsPerSecond
    const needed = this.#neededMillis.sum(now)
    if (promised === undefined || needed < NEEDED) return undefined
    const capacityBitsPerSecond = this.#carried.sum(now) / needed
    const direction = this.#end === 'opener' ? 'up' : 'down'
    return {
      isBroken: capacityBitsPerSecond < ENOUGH * promised,
      evidence: { direction, capacityBitsPerSecond, promisedBitsPerSecond: promised, neededSeconds: needed / 1000, windowSeconds: WINDOW_SECONDS },
    }
  }
}

/** Datagrams whose fate is known. */
const sentPackets = ({ packets, duplicatePackets, lostPackets }: PathTotals): number => packets - duplicatePackets + lostPackets
