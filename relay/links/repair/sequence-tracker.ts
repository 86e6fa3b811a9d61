import { MAX_PATHS } from '../../wire/link.ts'
import { millis } from '../../wire/units.ts'
import { MAX_REQUEST_RANGES } from '../carrier/frames.ts'
import { unwrap32 } from '../carrier/datagram.ts'
import type { Millis } from '../../wire/units.ts'
import type { RequestRange } from '../carrier/frames.ts'

/** Sequence numbers of which it is known whether they came, counted back from the highest. A power of two. */
const WINDOW = 1 << 17
/** More at once cannot be repaired: the sender began anew, or lies. */
const MAX_GAP = 1 << 15
/** So many packets per millisecond may go missing in the long run: whoever leaves out more lies, and must not cost more. */
const MOST_LOST = 50
/** A tail that is further ahead says too much for its six bytes: the next packet will tell. */
const MAX_TAIL_GAP = 1 << 12
/** Packets that are missing and asked for at most. */
const MAX_MISSING = 1 << 15
/**
 * A request is sent three times, so that the loss of one, or of a few in a row, costs no round: the copies follow after
 * so long each.
 */
const COPIES_AFTER = [6, 9] as const
const COPIES_TAKE = COPIES_AFTER[0] + COPIES_AFTER[1]
/** How late a packet may be by itself and still teach how long to wait for others. */
const MOST_TOLERANCE = 30
/** Half of how late overtaken packets were is forgotten in so many milliseconds. */
const TOLERANCE_HALF_LIFE = 20_000
const LEAST_TOLERANCE = 1

/** While a path lives, something says at least so often what was sent last. */
const LONGEST_SILENCE = 100
/** Before a path was measured, in milliseconds. */
const FIRST_ONE_WAY = 50

const NO_RANGES: readonly RepairRange[] = []

interface MissingPacket {
  /** When its own path was past it; Infinity before that is known. */
  since: number
  /** It was sent before that, as far as is known. */
  readonly sentBefore: number
  /** When to ask next; Infinity while others that travel on other paths may still be overtaken. */
  askAt: number
  round: number
  /** Copies of this round's request that are still to be sent. */
  copies: number
}

/** What the repair of a class may count on at the moment. */
export interface RepairConditions {
  readonly roundTrip: Millis
  /** How much the round trip varies. @see RFC 6298, RTTVAR */
  readonly variation: Millis
  /** From sending to the last moment at which a packet is of use; Infinity where it always is. */
  readonly budget: number
}

/** How long the way of one path takes, about. */
export interface PathDelay {
  readonly index: number
  readonly oneWay: Millis
  /** How much longer it may take; not at all without it. */
  readonly variation?: Millis
}

/** What to ask for. */
export interface RepairRange extends RequestRange {
  /** Which sending of the same request this is: 0 is the first. */
  readonly copy: number
}

/** What {@link SequenceTracker.step} decides. */
export interface RepairStep {
  readonly ranges: readonly RepairRange[]
  /** Packets given up in this step. */
  readonly givenUp: number
  /** When to ask again; Infinity while nothing is missing. */
  readonly wakeAt: number
}

/**
 * The receiving end's book of one class: which sequence numbers came, which are missing, which to ask for again,
 * and when to give up. A request whose answer could not arrive within the budget is never made. Does no I/O and
 * reads no clock.
 *
 * A packet is missing when its own path is past it, or, for a class that is spread over several, all paths are.
 *
 * @see RFC 4585 section 6.2.1 (NACK); RFC 9002 section 6.1 for what counts as lost; draft-sharabayko-srt section 4.8
 */
export class SequenceTracker {
  readonly #seen = new Uint32Array(WINDOW / 32)
  /** In ascending order. */
  readonly #missing = new Map<number, MissingPacket>()
  /** Where the first missing one was last found: looking from the beginning passes all that were removed. */
  #order = this.#missing.keys()
  #first: number | undefined
  /** Per path, the highest that came on it first-hand. */
  readonly #passed = new Float64Array(MAX_PATHS)
  /** Per path, when a packet last came on it first-hand. */
  readonly #cameAt = new Float64Array(MAX_PATHS).fill(-Infinity)
  /** Per path, how long the way takes. */
  readonly #oneWay = new Float64Array(MAX_PATHS).fill(FIRST_ONE_WAY)
  /** Path indices that the far end sends on. */
  #alive: readonly number[] = [0]
  /** How long the way may take on the slowest of them. */
  #longestWay = FIRST_ONE_WAY
  /** That the newest packet came on, and the first of those that came on no other since. */
  #path = 0
  #pathSince = 0
  /** Whether packets of the class leave on several paths. */
  #isSpread = false
  #highest = 0
  #tolerance = LEAST_TOLERANCE
  #toleranceAt = 0
  /** There is nothing to decide before; thousands may be missing, and need not be looked through each time. */
  #quietUntil = -Infinity
  /** Packets that may go missing at once. */
  #allowance = MAX_GAP
  #advancedAt = 0
  /** When {@link highest} was last known to be the last that was sent. */
  #confirmedAt = 0
  /** Too many were missing at once to ask for: given up, and not told yet. */
  #abandoned = 0
  #repaired = 0
  #lost = 0

  /** Paths on which packets of a spread class may still be under way, and how long the way takes on each. */
  usePaths(alive: readonly PathDelay[]): void {
    this.#alive = alive.map(({ index }) => index)
    this.#longestWay = 0
    for (const { index, oneWay, variation = millis(0) } of alive) {
      this.#oneWay[index] = oneWay
      this.#longestWay = Math.max(this.#longestWay, oneWay + 2 * variation)
    }
  }

  /** Whether a packet came on a path since, for the first time. */
  cameOn(path: number, since: number): boolean {
    return (this.#cameAt[path] ?? -Infinity) >= since
  }

  /** The highest number that is known to have been sent. Numbers begin at 1. */
  get highest(): number {
    return this.#highest
  }

  /** Everything below came or was given up; undefined while nothing is missing. */
  get firstMissing(): number | undefined {
    if (this.#missing.size === 0) return undefined
    while (this.#first === undefined || !this.#missing.has(this.#first)) {
      const { done, value } = this.#order.next()
      if (done === true) this.#order = this.#missing.keys()
      else this.#first = value
    }
    return this.#first
  }

  /** Everything up to here came or was given up. */
  get cumulative(): number {
    return (this.firstMissing ?? this.#highest + 1) - 1
  }

  /** How many are missing and not given up. */
  get missingCount(): number {
    return this.#missing.size
  }

  /** Times that something missing came after it was asked for, since the last call. */
  takeRepaired(): number {
    const repaired = this.#repaired
    this.#repaired = 0
    return repaired
  }

  /** Packets that were missing once, whatever became of them, since the last call. */
  takeLost(): number {
    const lost = this.#lost
    this.#lost = 0
    return lost
  }

  /**
   * Takes note of one packet.
   *
   * @param wire - Its sequence number modulo 2^32.
   * @returns The number in full; undefined when it came before, or is of no use any more.
   */
  received(wire: number, path: number, isAgain: boolean, isSpread: boolean, now: Millis): number | undefined {
    const sequence = unwrap32(wire, this.#highest)
    if (sequence < 1 || sequence <= this.#highest - WINDOW) return undefined
    const isNewest = sequence > this.#highest
    if (isNewest) this.#advance(sequence, path, isSpread, now)
    if (!isAgain) {
      this.#isSpread = isSpread
      if (isNewest && path !== this.#path) {
        this.#path = path
        this.#pathSince = sequence
      }
      this.#pass(path, sequence, now)
      this.#cameAt[path] = now
    }
    if (this.#has(sequence)) return undefined
    const missing = this.#missing.get(sequence)
    if (missing !== undefined) {
      this.#missing.delete(sequence)
      if (isAgain || missing.round > 0) this.#repaired++
      if (!isAgain) this.#learnTolerance(now - missing.since, now)
    } else if (!isNewest && sequence <= this.cumulative) {
      // Given up before: whoever waited has gone on.
      this.#mark(sequence)
      return undefined
    }
    this.#mark(sequence)
    return sequence
  }

  /** A packet came about without arriving. @returns Whether it was missing. */
  recovered(sequence: number): boolean {
    if (sequence < 1 || sequence > this.#highest || this.#has(sequence)) return false
    this.#mark(sequence)
    return this.#missing.delete(sequence)
  }

  /** The far end says what it sent last. */
  tail(wire: number, path: number, now: Millis): void {
    const sequence = unwrap32(wire, this.#highest)
    if (sequence < 1 || sequence > this.#highest + MAX_TAIL_GAP) return
    if (sequence > this.#highest) {
      this.#advance(sequence + 1, path, this.#isSpread, now)
      this.#highest = sequence
    } else if (sequence === this.#highest) this.#confirmedAt = now
    this.#pass(path, sequence, now)
  }

  /** Decides what to ask for, and what not to wait for any more. */
  step(now: Millis, conditions: RepairConditions): RepairStep {
    if (now < this.#quietUntil) return { ranges: NO_RANGES, givenUp: 0, wakeAt: this.#quietUntil }
    const ranges: RepairRange[] = []
    let givenUp = this.#abandoned
    this.#abandoned = 0
    let wakeAt = Infinity
    const { roundTrip, variation, budget } = conditions
    const retryAfter = retryInterval(roundTrip, variation)
    for (const [sequence, missing] of this.#missing) {
      const giveUpAt = missing.sentBefore + budget
      if (now >= giveUpAt) {
        this.#missing.delete(sequence)
        // Counted as lost: it is not handed over any more.
        this.#mark(sequence)
        givenUp++
        continue
      }
      if (missing.askAt > now) {
        wakeAt = Math.min(wakeAt, missing.askAt, giveUpAt)
        continue
      }
      if (missing.copies > 0) {
        if (!append(ranges, sequence, missing.round, COPIES_AFTER.length + 1 - missing.copies)) break
        missing.copies--
        missing.askAt = now + (missing.copies > 0 ? COPIES_AFTER[1] : retryAfter - COPIES_TAKE)
      } else if (now + roundTrip <= giveUpAt) {
        if (!append(ranges, sequence, missing.round + 1, 0)) break
        missing.round++
        missing.copies = COPIES_AFTER.length
        missing.askAt = now + COPIES_AFTER[0]
      } else {
        // No answer could be in time. It may be late by itself.
        missing.askAt = Infinity
      }
      wakeAt = Math.min(wakeAt, missing.askAt, giveUpAt)
    }
    this.#quietUntil = ranges.length >= MAX_REQUEST_RANGES ? now : wakeAt
    return { ranges, givenUp, wakeAt: this.#quietUntil }
  }

  #advance(sequence: number, path: number, isSpread: boolean, now: Millis): void {
    this.#allowance = Math.min(MAX_GAP, this.#allowance + MOST_LOST * Math.max(0, now - this.#advancedAt))
    this.#advancedAt = now
    const from = sequence - this.#highest > this.#allowance ? sequence : this.#highest + 1
    this.#allowance -= sequence - from
    if (sequence > from) this.#quietUntil = -Infinity
    if (from === sequence && sequence > this.#highest + 1) {
      this.#abandon(this.#missing.size + sequence - 1 - this.#highest)
      this.#missing.clear()
    }
    if (sequence - this.#highest >= WINDOW) this.#seen.fill(0)
    else for (let number = this.#highest + 1; number <= sequence; number++) this.#clear(number)
    // On another path than that of the one before, which may not be known to live yet, or no more.
    const mayBeElsewhere = (isSpread && this.#alive.length > 1) || path !== this.#path
    const oneWay = this.#oneWay[path] ?? FIRST_ONE_WAY
    const askAt = now + (mayBeElsewhere ? Math.max(0, this.#longestWay - oneWay) + MOST_TOLERANCE : this.#patience(now))
    const since = mayBeElsewhere ? Infinity : now
    // After an outage most of what is missing was sent long ago: at even distances, as far as is known.
    // Before the first packet there was nothing to confirm.
    const silence = this.#highest > 0 && now - this.#confirmedAt > LONGEST_SILENCE ? now - this.#confirmedAt : 0
    const apart = silence / (sequence - from + 1)
    const sentBefore = now - oneWay
    for (let number = from; number < sequence; number++) this.#missing.set(number, { since, sentBefore: sentBefore - apart * (sequence - number), askAt, round: 0, copies: 0 })
    this.#confirmedAt = now
    this.#lost += Math.max(0, sequence - from)
    this.#highest = sequence
    let excess = this.#missing.size - MAX_MISSING
    for (const oldest of this.#missing.keys()) {
      if (excess-- <= 0) break
      this.#missing.delete(oldest)
      this.#mark(oldest)
      this.#abandon(1)
    }
  }

  #abandon(count: number): void {
    this.#abandoned += count
    this.#quietUntil = -Infinity
  }

  /** What the paths are past and did not come is missing for certain. */
  #pass(path: number, sequence: number, now: Millis): void {
    if (path >= MAX_PATHS || sequence <= (this.#passed[path] ?? 0)) return
    const before = this.#certain()
    this.#passed[path] = sequence
    if (this.#missing.size === 0) return
    const after = this.#certain()
    if (after <= before) return
    this.#quietUntil = -Infinity
    for (const [number, missing] of this.#missing) {
      if (number > after) break
      if (number <= before || (!this.#isSpread && number < this.#pathSince)) continue
      missing.since = Math.min(missing.since, now)
      if (missing.round === 0) missing.askAt = Math.min(missing.askAt, now + this.#patience(now))
    }
  }

  /** Up to here, what did not come is not on its way any more: the paths that the class uses are past it. */
  #certain(): number {
    if (!this.#isSpread) return this.#passed[this.#path] ?? 0
    let least = Infinity
    for (const path of this.#alive) least = Math.min(least, this.#passed[path] ?? 0)
    return least
  }

  /** How long to wait for a packet that may only have been overtaken. */
  #patience(now: Millis): number {
    return Math.max(LEAST_TOLERANCE, this.#tolerance * 2 ** (-(now - this.#toleranceAt) / TOLERANCE_HALF_LIFE))
  }

  #learnTolerance(lateness: number, now: Millis): void {
    const tolerance = Math.min(1.25 * lateness, MOST_TOLERANCE)
    if (tolerance <= this.#patience(now)) return
    this.#tolerance = tolerance
    this.#toleranceAt = millis(now)
  }

  #has(sequence: number): boolean {
    const bit = sequence % WINDOW
    return ((this.#seen[bit >> 5] ?? 0) & (1 << (bit & 31))) !== 0
  }

  #mark(sequence: number): void {
    const bit = sequence % WINDOW
    this.#seen[bit >> 5] = (this.#seen[bit >> 5] ?? 0) | (1 << (bit & 31))
  }

  #clear(sequence: number): void {
    const bit = sequence % WINDOW
    this.#seen[bit >> 5] = (this.#seen[bit >> 5] ?? 0) & ~(1 << (bit & 31))
  }
}

/**
 * From a request to the next for the same packet. A request too early costs one packet sent in vain, one too late costs a
 * round of the few that the budget has: nearer to the round trip than a retransmission timer that also answers
 * congestion. @see RFC 6298 section 2, which waits for four times the variation
 */
export const retryInterval = (roundTrip: Millis, variation: Millis): Millis => millis(Math.max(COPIES_TAKE, roundTrip + Math.max(2 * variation, 3)) + LEAST_TOLERANCE)

/** Adds a number to the ranges. @returns false when no more fit. */
function append(ranges: RepairRange[], sequence: number, round: number, copy: number): boolean {
  const last = ranges.at(-1)
  if (last !== undefined && last.round === round && last.copy === copy && last.first + last.count === sequence && last.count < 255) {
    ranges[ranges.length - 1] = { ...last, count: last.count + 1 }
    return true
  }
  if (ranges.length >= MAX_REQUEST_RANGES) return false
  ranges.push({ first: sequence, count: 1, round, copy })
  return true
}
