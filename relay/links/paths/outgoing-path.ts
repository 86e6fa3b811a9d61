import { bitsPerSecond, bytes, millis } from '../../wire/units.ts'
import { arrivalOf } from '../carrier/frames.ts'
import { unwrap32 } from '../carrier/datagram.ts'
import { BlackHole } from './black-hole.ts'
import { ShareLedger } from '../sharing/share-ledger.ts'
import type { BitsPerSecond, Bytes, Millis } from '../../wire/units.ts'
import type { FeedbackFrame } from '../carrier/frames.ts'
import type { RateControl } from './rate-control.ts'

/** Datagrams whose fate is awaited: 1.3 s at 500 Mbit/s. A power of two. */
const WINDOW = 1 << 16
/** So much of a path's pace may leave at once after a timer that came late. */
const MAX_BURST = millis(2.5)
const MIN_BURST_BYTES = 3200
/**
 * What a later timer still kept from leaving is made up for, up to so much: no more than the queue at the bottleneck
 * that ran out meanwhile. It leaves at so much more than the pace, so that no burst comes of it.
 */
const MAX_ARREARS = millis(6)
const CATCH_UP = 0.25
/** A datagram that others overtook by so many is reported lost. @see RFC 9002 section 6.1.1 */
const REORDERING = 3
/** The shortest round trip is looked for in so long. */
const SHORTEST_MEMORY = millis(30_000)
/** Before the first answer. @see RFC 9002 section 6.2.2 */
const INITIAL_ROUND_TRIP = millis(100)

/**
 * The sending half of one path: packet numbers, pace, and what the far end says of what it got. Does no I/O and
 * reads no clock.
 */
export class OutgoingPath {
  /** Which class goes next. */
  readonly ledger: ShareLedger
  readonly #hole = new BlackHole()
  readonly #rate: RateControl
  readonly #sentAt = new Float64Array(WINDOW)
  /** 0: its fate is known. */
  readonly #sizes = new Uint16Array(WINDOW)
  #next = 1
  #reported = 0
  #credit = 0
  /** Bytes that the pace allowed, and a late timer did not send. */
  #arrears = 0
  /** Whether nothing waits to be sent. */
  #isDry = true
  #accruedAt: Millis | undefined
  #hasIdled = true
  #smoothed: number | undefined
  #variation = 0
  #shortest: { readonly roundTrip: number; readonly at: Millis } | undefined
  #provenAt: Millis | undefined
  #lies = 0
  #roseAt = millis(-Infinity)
  #lost = 0
  #arrivalReference = 0
  #sentBytes = 0
  #window: { bytes: number; since: number; rate: number } = { bytes: 0, since: 0, rate: 0 }

  /** @param shares - Guaranteed to each class, the most urgent first. */
  constructor(rate: RateControl, shares: readonly number[]) {
    this.#rate = rate
    this.ledger = new ShareLedger(shares)
  }

  /** What may be sent. */
  get pace(): BitsPerSecond {
    return this.#rate.pace
  }

  /** What the path is taken to carry. */
  get capacity(): BitsPerSecond {
    return this.#rate.capacity
  }

  /** Whether {@link capacity} is more than a guess. */
  get isProven(): boolean {
    return this.#rate.isProven
  }

  /** What datagrams wait on the way. */
  get queueingDelay(): Millis {
    return this.#rate.queueingDelay
  }

  /** Smoothed; a guess before the first answer. @see RFC 6298 section 2 */
  get roundTrip(): Millis {
    return millis(this.#smoothed ?? INITIAL_ROUND_TRIP)
  }

  /** Whether {@link roundTrip} was measured. */
  get hasRoundTrip(): boolean {
    return this.#smoothed !== undefined
  }

  /** RTTVAR. @see RFC 6298 section 2 */
  get variation(): Millis {
    return millis(this.#smoothed === undefined ? INITIAL_ROUND_TRIP / 2 : this.#variation)
  }

  /** The shortest round trip of late; undefined before the first answer. */
  get shortestRoundTrip(): Millis | undefined {
    return this.#shortest === undefined ? undefined : millis(this.#shortest.roundTrip)
  }

  /** When the far end last proved that it hears this path; undefined before it did. */
  get provenAt(): Millis | undefined {
    return this.#provenAt
  }

  /** Reports that speak of what was never sent, or of times that cannot be. */
  get lies(): number {
    return this.#lies
  }

  /** Datagrams that the far end reported lost. */
  get lost(): number {
    return this.#lost
  }

  /** What left in the last second or so. */
  sendingRate(now: Millis): BitsPerSecond {
    const elapsed = now - this.#window.since
    if (elapsed < 1000) return bitsPerSecond(Math.max(this.#window.rate, elapsed > 200 ? (8000 * this.#window.bytes) / elapsed : 0))
    this.#window = { bytes: 0, since: now, rate: (8000 * this.#window.bytes) / elapsed }
    return bitsPerSecond(this.#window.rate)
  }

  /** Datagrams sent so far. */
  get sentPackets(): number {
    return this.#next - 1
  }

  /** Bytes sent so far, with IP and UDP headers. */
  get sentBytes(): Bytes {
    return bytes(this.#sentBytes)
  }

  /** Whether the pace allows another datagram. */
  canSend(now: Millis): boolean {
    this.#accrue(now)
    return this.#credit > 0
  }

  /** The part of its burst that is left: who has more goes first. */
  get creditRatio(): number {
    return this.#credit / this.#burst()
  }

  /** When the pace allows the next datagram. */
  get freeAt(): Millis {
    const at = this.#accruedAt ?? millis(0)
    return this.#credit > 0 ? at : millis(at + -this.#credit / (this.#rate.pace / 8000))
  }

  /** Everything that waited was sent: the path was not the limit. */
  ranDry(): void {
    this.#hasIdled = true
    this.#isDry = true
    this.#arrears = 0
  }

  /**
   * A datagram leaves.
   *
   * @param isTraffic - Whether it will be answered by feedback.
   * @returns Its number.
   */
  send(size: Bytes, isTraffic: boolean, now: Millis): number {
    const number = this.#next++
    const slot = number % WINDOW
    this.#sentAt[slot] = now
    this.#sizes[slot] = size
    this.#accrue(now)
    this.#credit -= size
    this.#isDry = false
    this.#sentBytes += size
    this.#window.bytes += size
    if (isTraffic) this.#rate.sent(size, now)
    return number
  }

  /** The far end reports what it got. What was never sent counts for nothing. */
  feedback(frame: FeedbackFrame, now: Millis): void {
    const { largest, largestArrivedAt, hold, arrivals } = frame
    if (largest >= this.#next || largest < 1) {
      this.#lies++
      return
    }
    // Of long ago: its place was taken by another.
    if (this.#next - largest > WINDOW) return
    const isNews = this.#sizes[largest % WINDOW] !== 0
    const roundTrip = now - (this.#sentAt[largest % WINDOW] ?? now) - hold / 1000
    if (isNews && !this.#measured(roundTrip, now)) return
    this.#arrivalReference = unwrap32(largestArrivedAt, this.#arrivalReference)
    const arrivedAt = this.#arrivalReference / 1000
    let lost = 0
    for (let number = Math.max(1, largest - arrivals.length + 1); number <= largest; number++) {
      const slot = number % WINDOW
      const size = this.#sizes[slot] ?? 0
      if (size === 0 || this.#next - number > WINDOW) continue
      const code = arrivals[largest - number] ?? 0
      if (code !== 0) {
        this.#rate.acknowledged(millis(this.#sentAt[slot] ?? 0), millis(arrivedAt - arrivalOf(code)), bytes(size))
        this.#sizes[slot] = 0
        this.#hole.acknowledged(size)
      } else if (number > this.#reported && number <= largest - REORDERING && (this.#sentAt[slot] ?? 0) >= this.#roseAt) {
        lost++
      }
    }
    this.#reported = Math.max(this.#reported, largest - REORDERING)
    this.#lost += lost
    if (lost > 0) this.#rate.lost(lost)
    this.#rate.reported(now, this.roundTrip, !this.#hasIdled)
    this.#hasIdled = false
  }

  /** An answer to a probe. @returns false for a time that cannot be. */
  answered(roundTrip: number, now: Millis): boolean {
    this.#hole.answered(now)
    return this.#measured(roundTrip, now)
  }

  /** A datagram of traffic leaves. @returns Whether such large ones vanish. @see BlackHole.sent */
  vanishes(size: Bytes, mtu: Bytes, now: Millis): boolean {
    return this.#hole.sent(size, mtu, this.roundTrip, now)
  }

  /** It lives again: what was lost while it did not says nothing of how much it carries. */
  rose(now: Millis): void {
    this.#roseAt = now
  }

  /** So that silence is noticed. */
  step(now: Millis): void {
    this.#rate.step(now)
  }

  #measured(roundTrip: number, now: Millis): boolean {
    if (!(roundTrip >= 0 && roundTrip < 60_000)) {
      this.#lies++
      return false
    }
    this.#provenAt = now
    if (this.#smoothed === undefined) {
      this.#smoothed = roundTrip
      this.#variation = roundTrip / 2
    } else {
      this.#variation += (Math.abs(this.#smoothed - roundTrip) - this.#variation) / 4
      this.#smoothed += (roundTrip - this.#smoothed) / 8
    }
    if (this.#shortest === undefined || roundTrip <= this.#shortest.roundTrip || now - this.#shortest.at > SHORTEST_MEMORY) this.#shortest = { roundTrip, at: now }
    return true
  }

  #burst(): number {
    return Math.max(MIN_BURST_BYTES, (this.#rate.pace / 8000) * MAX_BURST)
  }

  #accrue(now: Millis): void {
    const elapsed = now - (this.#accruedAt ?? now)
    if (elapsed <= 0 && this.#accruedAt !== undefined) return
    this.#accruedAt = now
    const [burst, earned] = [this.#burst(), elapsed * (this.#rate.pace / 8000)]
    const made = Math.min(this.#arrears, CATCH_UP * earned)
    const credit = this.#credit + earned + made
    this.#credit = elapsed === 0 ? burst : Math.min(credit, burst)
    const arrears = this.#arrears - made + Math.max(0, credit - burst)
    this.#arrears = this.#isDry ? 0 : Math.min(arrears, (this.#rate.pace / 8000) * MAX_ARREARS)
    this.ledger.accrue(this.#rate.pace, now)
  }
}
