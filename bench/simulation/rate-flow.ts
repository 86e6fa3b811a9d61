import { bytes, millis, transmissionTime } from '../../relay/wire/units.ts'
import type { RateControl } from '../../relay/links/paths/rate-control.ts'
import type { Bytes, Millis } from '../../relay/wire/units.ts'
import type { Bottleneck } from './bottleneck.ts'
import type { VirtualTime } from './virtual-time.ts'

const DATAGRAM = bytes(1250)
const REPORT = bytes(120)
const REPORT_EVERY = millis(20)
const STEP_EVERY = millis(20)
/** Live traffic comes for so long at twice its rate, and then for as long not at all. */
const CLUMP = millis(2)
/** What waits longer than this at the sender is dropped there. */
const MOST_WAITING_MILLIS = 500

/** What {@link RateFlow} sends. */
export interface RateFlowOptions {
  readonly control: RateControl
  /** Bits per second of live traffic, in clumps; it goes before bulk. */
  readonly liveBitsPerSecond?: number
  /** Whether there always is bulk to send. */
  readonly hasBulk?: boolean
  readonly startAt?: Millis
  readonly stopAt?: Millis
  /** What the far end's clock is ahead. */
  readonly clockOffset?: Millis
}

/** One datagram on the way, or reported. */
interface Sent {
  readonly sentAt: Millis
  readonly arrivedAt: Millis
}

/**
 * A sender under {@link RateControl} and its receiver, which reports every 20 ms what came and what is missing. A
 * report that is lost goes out again with the next one. Datagrams keep their order on the simulated line.
 */
export class RateFlow {
  readonly control: RateControl
  /** Of live datagrams, from being made to arriving, in milliseconds; and when each arrived. */
  readonly liveDelays: number[] = []
  readonly liveArrivals: number[] = []
  readonly #time: VirtualTime
  readonly #line: Bottleneck
  readonly #live: number
  readonly #hasBulk: boolean
  readonly #stopAt: number
  readonly #clockOffset: number
  #flying: Sent[] = []
  #head = 0
  #deliveredBytes = 0
  /** When each live datagram that waits was made. */
  #waiting: Millis[] = []
  #liveHead = 0
  #liveCredit = 0
  #isAsleep = true
  #wasAlwaysBusy = false
  #nextSendAt = 0
  #heldFor = 0

  constructor(time: VirtualTime, line: Bottleneck, { control, liveBitsPerSecond = 0, hasBulk = false, startAt = millis(0), stopAt = millis(Infinity), clockOffset = millis(12_345) }: RateFlowOptions) {
    this.control = control
    this.#time = time
    this.#line = line
    this.#live = liveBitsPerSecond
    this.#hasBulk = hasBulk
    this.#stopAt = stopAt
    this.#clockOffset = clockOffset
    time.at(startAt, () => {
      if (this.#live > 0) this.#clump()
      this.#wake()
      time.after(REPORT_EVERY, this.#report)
      time.after(STEP_EVERY, this.#step)
    })
  }

  /** What arrived so far, as the sender knows. */
  get deliveredBytes(): Bytes {
    return bytes(this.#deliveredBytes)
  }

  readonly #clump = (): void => {
    const { now } = this.#time
    if (now >= this.#stopAt) return
    // Twice the rate for the clump: everything is made in steps of half a millisecond.
    const steps = 4
    for (let step = 0; step < steps; step++) this.#time.after(millis((step * CLUMP) / steps), this.#make)
    this.#time.after(millis(2 * CLUMP), this.#clump)
  }

  readonly #make = (): void => {
    const { now } = this.#time
    this.#liveCredit += (this.#live * 2 * CLUMP) / 4 / 8000
    while (this.#liveCredit >= DATAGRAM) {
      this.#liveCredit -= DATAGRAM
      if (now - (this.#waiting[this.#liveHead] ?? now) < MOST_WAITING_MILLIS) this.#waiting.push(now)
    }
    this.#wake()
  }

  #wake(): void {
    if (!this.#isAsleep || (!this.#hasBulk && this.#liveHead === this.#waiting.length)) return
    this.#isAsleep = false
    this.#time.at(millis(this.#nextSendAt), this.#send)
  }

  readonly #send = (): void => {
    const { now } = this.#time
    const madeAt = this.#waiting[this.#liveHead]
    if (now >= this.#stopAt || (madeAt === undefined && !this.#hasBulk)) {
      this.#isAsleep = true
      this.#wasAlwaysBusy = false
      return
    }
    const arrivedAt = this.#line.send(DATAGRAM)
    this.control.sent(DATAGRAM, now)
    this.#flying.push({ sentAt: now, arrivedAt })
    if (madeAt !== undefined) this.#sentLive(madeAt, arrivedAt)
    this.#nextSendAt = Math.max(this.#nextSendAt, now - 1) + transmissionTime(DATAGRAM, this.control.pace)
    this.#time.at(millis(this.#nextSendAt), this.#send)
  }

  #sentLive(madeAt: Millis, arrivedAt: Millis): void {
    this.#liveHead++
    if (this.#liveHead > 1000) {
      this.#waiting = this.#waiting.slice(this.#liveHead)
      this.#liveHead = 0
    }
    if (arrivedAt === Infinity) return
    this.liveDelays.push(arrivedAt - madeAt)
    this.liveArrivals.push(arrivedAt)
  }

  readonly #step = (): void => {
    this.control.step(this.#time.now)
    this.#time.after(STEP_EVERY, this.#step)
  }

  /** At the receiver: everything up to the last arrival is known, and what is missing before it is lost. */
  readonly #report = (): void => {
    const { now } = this.#time
    this.#time.after(REPORT_EVERY, this.#report)
    let last = this.#head - 1
    for (let index = this.#head; index < this.#flying.length; index++) {
      const { arrivedAt } = this.#flying[index] ?? { arrivedAt: Infinity }
      if (arrivedAt === Infinity) continue
      if (arrivedAt > now) break
      last = index
    }
    if (last < this.#head) return
    const backAt = this.#line.reply(REPORT)
    if (backAt === Infinity) return
    const reported = this.#flying.slice(this.#head, last + 1)
    this.#head = last + 1
    if (this.#head > 5000) {
      this.#flying = this.#flying.slice(this.#head)
      this.#head = 0
    }
    this.#time.at(backAt, () => this.#hear(reported, now))
  }

  #hear(reported: readonly Sent[], reportedAt: Millis): void {
    const { now } = this.#time
    let lost = 0
    let lastSentAt = now
    for (const { sentAt, arrivedAt } of reported) {
      if (arrivedAt === Infinity) {
        lost++
        continue
      }
      lastSentAt = sentAt
      this.#deliveredBytes += DATAGRAM
      this.control.acknowledged(sentAt, millis(arrivedAt + this.#clockOffset), DATAGRAM)
      this.#heldFor = reportedAt - arrivedAt
    }
    if (lost > 0) this.control.lost(lost)
    // As in RFC 3550 section 6.4.1: the time for which the receiver held the last one is not of the line.
    this.control.reported(now, millis(now - lastSentAt - this.#heldFor), this.#wasAlwaysBusy)
    this.#wasAlwaysBusy = !this.#isAsleep
  }
}
