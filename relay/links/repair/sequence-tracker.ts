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
/** Packets that are missing and asked for at most. */
const MAX_MISSING = 1 << 15
/** A request is sent twice, so that the loss of one costs no round. The copy follows after so long. */
const COPY_AFTER = 5
/** How late a packet may be by itself and still teach how long to wait for others. */
const MOST_TOLERANCE = 30
/** Half of how late overtaken packets were is forgotten in so many milliseconds. */
const TOLERANCE_HALF_LIFE = 20_000
const LEAST_TOLERANCE = 1

interface MissingPacket {
  /** When something later arrived. */
  readonly since: Millis
  /** When to ask next; Infinity while others that travel on other paths may still be overtaken. */
  askAt: number
  round: number
  /** The request of this round was sent once, and once more is to be. */
  isCopyDue: boolean
}

/** What the repair of a class may count on at the moment. */
export interface RepairConditions {
  readonly roundTrip: Millis
  /** How much the round trip varies. @see RFC 6298, RTTVAR */
  readonly variation: Millis
  /** From sending to the last moment at which a packet is of use; Infinity where it always is. */
  readonly budget: number
}

/** What {@link SequenceTracker.step} decides. */
export interface RepairStep {
  readonly ranges: readonly RequestRange[]
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
  readonly #missing = new Map<number, MissingPacket>()
  /** Per path, the highest that came on it first-hand. */
  readonly #passed = new Float64Array(MAX_PATHS)
  /** Path indices that the far end sends on. */
  #alive: readonly number[] = [0]
  /** What one path may be behind another by. */
  #spreadPatience = MOST_TOLERANCE
  #highest = 0
  #tolerance = LEAST_TOLERANCE
  #toleranceAt = 0
  #repaired = 0
  #lost = 0

  /**
   * Paths on which packets of a spread class may still be under way.
   *
   * @param difference - Of the slowest and the fastest of them, one way.
   */
  usePaths(alive: readonly number[], difference: Millis): void {
    this.#alive = alive
    this.#spreadPatience = difference + MOST_TOLERANCE
  }

  /** The highest number that is known to have been sent. Numbers begin at 1. */
  get highest(): number {
    return this.#highest
  }

  /** Everything below came or was given up; undefined while nothing is missing. */
  get firstMissing(): number | undefined {
    for (const sequence of this.#missing.keys()) return sequence
    return undefined
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
    if (sequence > this.#highest) this.#advance(sequence, isSpread, now)
    if (!isAgain) this.#pass(path, sequence, isSpread, now)
    if (this.#has(sequence)) return undefined
    const missing = this.#missing.get(sequence)
    if (missing !== undefined) {
      this.#missing.delete(sequence)
      if (isAgain || missing.round > 0) this.#repaired++
      if (!isAgain) this.#learnTolerance(now - missing.since, now)
    } else if (sequence < this.#highest && sequence <= this.cumulative) {
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
    if (sequence < 1 || sequence > this.#highest + MAX_GAP) return
    if (sequence > this.#highest) {
      this.#advance(sequence + 1, true, now)
      this.#highest = sequence
    }
    this.#pass(path, sequence, true, now)
  }

  /** Decides what to ask for, and what not to wait for any more. */
  step(now: Millis, conditions: RepairConditions): RepairStep {
    const ranges: RequestRange[] = []
    let givenUp = 0
    let wakeAt = Infinity
    const { roundTrip, variation, budget } = conditions
    const retryAfter = roundTrip + Math.max(4 * variation, 4) + LEAST_TOLERANCE
    for (const [sequence, missing] of this.#missing) {
      const giveUpAt = missing.since + budget - roundTrip / 2
      if (now >= giveUpAt) {
        this.#missing.delete(sequence)
        givenUp++
        continue
      }
      if (missing.askAt > now) {
        wakeAt = Math.min(wakeAt, missing.askAt, giveUpAt)
        continue
      }
      if (missing.isCopyDue) {
        if (!append(ranges, sequence, missing.round)) break
        missing.isCopyDue = false
        missing.askAt = now + retryAfter - COPY_AFTER
      } else if (now + roundTrip <= giveUpAt) {
        if (!append(ranges, sequence, missing.round + 1)) break
        missing.round++
        missing.isCopyDue = true
        missing.askAt = now + COPY_AFTER
      } else {
        // No answer could be in time. It may be late by itself.
        missing.askAt = Infinity
      }
      wakeAt = Math.min(wakeAt, missing.askAt, giveUpAt)
    }
    return { ranges, givenUp, wakeAt: ranges.length >= MAX_REQUEST_RANGES ? now : wakeAt }
  }

  #advance(sequence: number, isSpread: boolean, now: Millis): void {
    const from = sequence - this.#highest > MAX_GAP ? sequence : this.#highest + 1
    if (from === sequence && sequence > this.#highest + 1) this.#missing.clear()
    if (sequence - this.#highest >= WINDOW) this.#seen.fill(0)
    else for (let number = this.#highest + 1; number <= sequence; number++) this.#clear(number)
    const askAt = isSpread && this.#alive.length > 1 ? now + this.#spreadPatience : now + this.#patience(now)
    for (let number = from; number < sequence; number++) this.#missing.set(number, { since: now, askAt, round: 0, isCopyDue: false })
    this.#lost += Math.max(0, sequence - from)
    this.#highest = sequence
    for (let excess = this.#missing.size - MAX_MISSING; excess > 0; excess--) {
      const oldest = this.firstMissing
      if (oldest !== undefined) this.#missing.delete(oldest)
    }
  }

  /** A spread class: what all paths are past and did not come is missing for certain. */
  #pass(path: number, sequence: number, isSpread: boolean, now: Millis): void {
    if (path >= MAX_PATHS || sequence <= (this.#passed[path] ?? 0)) return
    const before = this.#leastPassed()
    this.#passed[path] = sequence
    if (!isSpread || this.#missing.size === 0) return
    const after = this.#leastPassed()
    if (after <= before) return
    for (const [number, missing] of this.#missing) {
      if (number > after) break
      if (number > before && missing.round === 0) missing.askAt = Math.min(missing.askAt, now + LEAST_TOLERANCE)
    }
  }

  #leastPassed(): number {
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

/** Adds a number to the ranges. @returns false when no more fit. */
function append(ranges: RequestRange[], sequence: number, round: number): boolean {
  const last = ranges.at(-1)
  if (last !== undefined && last.round === round && last.first + last.count === sequence && last.count < 255) {
    ranges[ranges.length - 1] = { first: last.first, count: last.count + 1, round }
    return true
  }
  if (ranges.length >= MAX_REQUEST_RANGES) return false
  ranges.push({ first: sequence, count: 1, round })
  return true
}
