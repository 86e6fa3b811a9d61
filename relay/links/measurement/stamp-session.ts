import { millis } from '../../wire/units.ts'
import { delayQuantiles } from './stamp-summary.ts'
import type { Millis } from '../../wire/units.ts'
import type { ReflectedPacket } from './stamp-packet.ts'
import type { ReplyRefusal, StampSummary } from './stamp-summary.ts'

/** More packets than this no session has: it remembers all of them, 44 bytes each. */
export const MAX_SESSION_PACKETS = 100_000

/**
 * Whether the reflector counts what it reflects. `unknown`: that shows as soon as a reply bears another number than
 * its request. @see RFC 8762 section 4
 */
export type ReflectorKind = 'stateful' | 'stateless' | 'unknown'

/** The four stamps of one answered packet, on the clocks of those who took them, since the Unix epoch. */
export interface StampSample {
  readonly sequenceNumber: number
  readonly sentAt: Millis
  readonly reflectorReceivedAt: Millis
  readonly reflectorSentAt: Millis
  readonly receivedAt: Millis
  /** Less the time that the reflector kept it. */
  readonly roundTrip: Millis
}

/** How {@link StampSession} reads what it gets. */
export interface StampSessionOptions {
  /** Packets that will be sent at most; up to {@link MAX_SESSION_PACKETS}. */
  readonly capacity: number
  readonly reflector: ReflectorKind
  /** An answer may take so long; what was sent later than that before the end is pending, not lost. */
  readonly replyTimeout: Millis
}

/**
 * The Session-Sender's book: what was sent, what came back, and what follows from both. Memory is bounded by its
 * capacity, whatever arrives.
 *
 * Does no I/O and reads no clock.
 */
export class StampSession {
  readonly #options: StampSessionOptions
  /** By the sender's number; 0 in `#answered` while there is no answer. */
  readonly #sentAt: Float64Array
  readonly #answered: Uint8Array
  /** By order of arrival, first copies only. */
  readonly #arrivedNumber: Uint32Array
  readonly #reflectorNumber: Uint32Array
  readonly #roundTrip: Float64Array
  readonly #outDelay: Float64Array
  readonly #inDelay: Float64Array
  /** Which of the reflector's numbers were seen: more than twice the capacity would be no honest count. */
  readonly #reflectorSeen: Uint8Array
  #sent = 0
  #received = 0
  #highestReflected = -1
  #distinctReflected = 0
  /** Some reply bore another number than its request. */
  #counts: boolean
  /** Every number of the reflector's was one that a count from 0 can have reached. */
  #isCountPlausible = true
  readonly #duplicates = { in: 0, out: 0 }
  readonly #refused: Record<ReplyRefusal, number> = { truncated: 0, oversize: 0, forged: 0, corrupt: 0, unsolicited: 0, implausible: 0 }

  constructor(options: StampSessionOptions) {
    const { capacity } = options
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_SESSION_PACKETS) throw new Error(`a STAMP session has 1 to ${MAX_SESSION_PACKETS} packets`)
    this.#options = options
    this.#counts = options.reflector === 'stateful'
    this.#sentAt = new Float64Array(capacity)
    this.#answered = new Uint8Array(capacity)
    this.#arrivedNumber = new Uint32Array(capacity)
    this.#reflectorNumber = new Uint32Array(capacity)
    this.#roundTrip = new Float64Array(capacity)
    this.#outDelay = new Float64Array(capacity)
    this.#inDelay = new Float64Array(capacity)
    this.#reflectorSeen = new Uint8Array(2 * capacity)
  }

  get sent(): number {
    return this.#sent
  }

  /** Every packet of the session was sent and answered. */
  get isComplete(): boolean {
    return this.#received === this.#options.capacity
  }

  /**
   * A packet leaves. @param at - Exactly what its timestamp says, read back.
   * @returns its number. @throws {Error} when the session is full.
   */
  send(at: Millis): number {
    if (this.#sent === this.#options.capacity) throw new Error('the STAMP session is full')
    this.#sentAt[this.#sent] = at
    return this.#sent++
  }

  /** A datagram arrived that is no reply. */
  refuse(refusal: ReplyRefusal): void {
    this.#refused[refusal]++
  }

  /** A reply arrived. @returns its stamps if it is the first to its request, and what it was otherwise. */
  receive(reply: ReflectedPacket, at: Millis): StampSample | 'duplicate' | ReplyRefusal {
    const number = reply.senderSequenceNumber
    const sentAt = this.#sentAt[number]
    // A reply repeats the stamp of its request, which who did not see the request can hardly guess.
    if (number >= this.#sent || sentAt === undefined || sentAt !== reply.senderTimestamp) return this.#refuse('unsolicited')
    const kept = reply.timestamp - reply.receiveTimestamp
    const roundTrip = millis(at - sentAt - kept)
    if (!(kept >= 0 && roundTrip >= 0)) return this.#refuse('implausible')
    const isRepeated = !this.#noteReflected(reply.sequenceNumber, number)
    if (this.#answered[number] === 1) {
      // The reflector numbers each copy that reaches it; one number twice was copied on the way back.
      this.#duplicates[isRepeated ? 'in' : 'out']++
      return 'duplicate'
    }
    this.#answered[number] = 1
    this.#arrivedNumber[this.#received] = number
    this.#reflectorNumber[this.#received] = reply.sequenceNumber
    this.#roundTrip[this.#received] = roundTrip
    this.#outDelay[this.#received] = reply.receiveTimestamp - sentAt
    this.#inDelay[this.#received] = at - reply.timestamp
    this.#received++
    return { sequenceNumber: number, sentAt: millis(sentAt), reflectorReceivedAt: reply.receiveTimestamp, reflectorSentAt: reply.timestamp, receivedAt: at, roundTrip }
  }

  /** Everything that is known now. */
  summarize(now: Millis): StampSummary {
    const pending = this.#countUnanswered(this.#sent, at => at > now - this.#options.replyTimeout)
    const lost = this.#sent - this.#received - pending
    return {
      sent: this.#sent,
      received: this.#received,
      pending,
      lossRatio: this.#sent === pending ? 0 : lost / (this.#sent - pending),
      lossRatios: this.#lossRatios(lost, now),
      roundTrip: delayQuantiles(this.#roundTrip.slice(0, this.#received)),
      delayVariation: { out: this.#delayVariation(this.#outDelay), in: this.#delayVariation(this.#inDelay) },
      clockOffset: this.#clockOffset(),
      duplicates: { ...this.#duplicates },
      reordered: this.#reordered(),
      refused: { ...this.#refused },
    }
  }

  #refuse(refusal: ReplyRefusal): ReplyRefusal {
    this.#refused[refusal]++
    return refusal
  }

  /** @returns whether the reflector's number is one not seen before. */
  #noteReflected(reflectorNumber: number, number: number): boolean {
    if (reflectorNumber !== number && this.#options.reflector === 'unknown') this.#counts = true
    if (reflectorNumber >= this.#reflectorSeen.length) {
      this.#isCountPlausible = false
      return false
    }
    if (this.#reflectorSeen[reflectorNumber] === 1) return false
    this.#reflectorSeen[reflectorNumber] = 1
    this.#distinctReflected++
    this.#highestReflected = Math.max(this.#highestReflected, reflectorNumber)
    return true
  }

  #countUnanswered(end: number, matches: (sentAt: number) => boolean): number {
    let count = 0
    for (let number = 0; number < end; number++) {
      if (this.#answered[number] === 0 && matches(this.#sentAt[number] ?? NaN)) count++
    }
    return count
  }

  get #isDirectional(): boolean {
    return this.#counts && this.#isCountPlausible
  }

  #lossRatios(lost: number, now: Millis): StampSummary['lossRatios'] {
    if (this.#received === 0) return { out: undefined, in: undefined }
    if (lost === 0) return { out: 0, in: 0 }
    if (!this.#isDirectional) return { out: undefined, in: undefined }
    const end = this.#arrivedNumber.subarray(0, this.#received).reduce((highest, number) => Math.max(highest, number), 0) + 1
    const lostBeforeEnd = this.#countUnanswered(end, at => at <= now - this.#options.replyTimeout)
    const reflected = this.#highestReflected + 1
    // What the reflector numbered and we never saw was lost on the way back; the rest never reached it.
    const lostIn = Math.min(reflected - this.#distinctReflected, lostBeforeEnd)
    return { out: (lostBeforeEnd - lostIn) / end, in: lostIn / reflected }
  }

  #delayVariation(delays: Float64Array): ReturnType<typeof delayQuantiles> {
    const own = delays.slice(0, this.#received)
    const shortest = own.reduce((least, delay) => Math.min(least, delay), Infinity)
    return delayQuantiles(own.map(delay => delay - shortest))
  }

  #clockOffset(): Millis | undefined {
    if (this.#received === 0) return undefined
    let best = 0
    for (let index = 1; index < this.#received; index++) {
      if ((this.#roundTrip[index] ?? NaN) < (this.#roundTrip[best] ?? NaN)) best = index
    }
    return millis(((this.#outDelay[best] ?? NaN) - (this.#inDelay[best] ?? NaN)) / 2)
  }

  #reordered(): StampSummary['reordered'] {
    const numbers = this.#arrivedNumber.subarray(0, this.#received)
    const reflected = this.#reflectorNumber.subarray(0, this.#received)
    const roundTrip = countOvertaken(numbers)
    if (!this.#isDirectional) return { out: undefined, in: undefined, roundTrip }
    const inReflectedOrder = [...numbers.keys()].sort((a, b) => (reflected[a] ?? 0) - (reflected[b] ?? 0)).map(index => numbers[index] ?? 0)
    return { out: countOvertaken(inReflectedOrder), in: countOvertaken(reflected), roundTrip }
  }
}

/** How many numbers come after a larger one. @see RFC 4737 section 3.3 */
function countOvertaken(numbers: Iterable<number>): number {
  let highest = -1
  let count = 0
  for (const number of numbers) {
    if (number < highest) count++
    else highest = number
  }
  return count
}
