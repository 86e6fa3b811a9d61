import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'

const PATIENCE = millis(500)
const PROBE_EVERY = millis(2500)
const PROBE_FOR = { least: millis(60), most: millis(200) } as const
/** Sending less by this part while probing. */
const PROBE_DEPTH = 0.25
/** A queue that stays short for so long is nobody's. */
const EMPTY_FOR = millis(1000)
/** It is looked at afresh after so long: two of this kind may have taken each other for it. */
const DOUBT_AFTER = millis(15_000)
/** With more than this of the bottleneck, the queue is ours: where nobody was suspected, and where somebody was. */
const LARGE_SHARE = 0.6
const OWN_SHARE = 0.8

/**
 * Whether the queue on the path is somebody else's, and how much of it is ours. Does no I/O and reads no clock.
 *
 * A queue that stands although less is sent is held up by traffic that fills queues. From then on less is sent for a
 * fifth of a second now and then: our part of the bottleneck is how much the queue falls, over how much it would fall
 * if nobody else sent.
 *
 * @see V. Arun, H. Balakrishnan, "Copa: Practical Delay-Based Congestion Control for the Internet", NSDI 2018, section
 *   2.2, which tells competitors by whether the queue ever empties, too
 */
export class ForeignQueue {
  #isPresent = false
  #presentSince = -Infinity
  #share = 0
  #isFresh = false
  #highFor = 0
  #lowFor = 0
  /** What the queue was of late: one that falls is about to go. */
  #usual = 0
  #probeAt = Infinity
  #probeFor: Millis = PROBE_FOR.most
  /** Queue one probe's length before the probe, and at its start. */
  #before = NaN
  #start = NaN

  /** Whether somebody fills the queue. */
  get isPresent(): boolean {
    return this.#isPresent
  }

  /** Our part of the bottleneck, from 0 to 1, by the last probe. */
  get share(): number {
    return this.#share
  }

  /** Whether the rate has to be kept steady for the sake of a probe. */
  isProbing(now: Millis): boolean {
    return now >= this.#probeAt - this.#probeFor && now < this.#probeAt + this.#probeFor
  }

  /** Multiplies the rate. */
  paceFactor(now: Millis): number {
    return now >= this.#probeAt && now < this.#probeAt + this.#probeFor ? 1 - PROBE_DEPTH : 1
  }

  /** Whether {@link share} is new, once after each probe. */
  takeProbed(): boolean {
    const isFresh = this.#isFresh
    this.#isFresh = false
    return isFresh
  }

  /** Takes what a report said. */
  note({ queue, limit, lag, sentAt, now, elapsed }: QueueReport): void {
    // Its traffic pulses: it counts how long the queue is high for the most part.
    if (queue < limit) this.#highFor = Math.max(0, this.#highFor - 3 * elapsed)
    else if (queue > 0.9 * this.#usual) this.#highFor += elapsed
    this.#usual += (queue - this.#usual) * (1 - Math.exp(-elapsed / 500))
    this.#lowFor = Math.max(0, queue < limit / 2 ? this.#lowFor + elapsed : this.#lowFor - elapsed)
    if (this.#isPresent && (this.#lowFor > EMPTY_FOR || now - this.#presentSince > DOUBT_AFTER)) this.#dismiss()
    if (this.#probeAt === Infinity && this.#highFor >= Math.max(PATIENCE, 4 * lag)) this.#schedule(queue, now)
    if (this.#probeAt !== Infinity) this.#probe(queue, limit, sentAt, now)
  }

  #probe(queue: number, limit: number, sentAt: number, now: Millis): void {
    if (Number.isNaN(this.#before) && sentAt >= this.#probeAt - this.#probeFor) this.#before = queue
    if (Number.isNaN(this.#start) && sentAt >= this.#probeAt) this.#start = queue
    if (sentAt < this.#probeAt + this.#probeFor) return
    const expected = PROBE_DEPTH * this.#probeFor
    const fall = 2 * this.#start - this.#before - queue
    this.#share = queue < limit / 2 ? 1 : Math.max(0, Math.min(1, fall / expected))
    this.#isFresh = true
    this.#before = this.#start = NaN
    if (!this.#isPresent) this.#presentSince = now
    this.#isPresent = this.#share < (this.#isPresent ? OWN_SHARE : LARGE_SHARE)
    if (this.#isPresent) this.#schedule(queue, millis(now + PROBE_EVERY))
    else this.#dismiss()
  }

  /** Not for so long that it would empty the queue even if most of it were ours: then nothing more could be told. */
  #schedule(queue: number, at: Millis): void {
    this.#probeFor = millis(Math.max(PROBE_FOR.least, Math.min(PROBE_FOR.most, (0.7 * queue) / PROBE_DEPTH)))
    this.#probeAt = at + this.#probeFor
  }

  #dismiss(): void {
    this.#isPresent = false
    this.#highFor = this.#lowFor = 0
    this.#probeAt = Infinity
    this.#before = this.#start = NaN
  }
}

/** What one report says to {@link ForeignQueue}. */
export interface QueueReport {
  /** Queueing delay of packets sent up to `sentAt`, in milliseconds. */
  readonly queue: number
  /** No queue of our own stands higher for long. */
  readonly limit: number
  /** After which a change of the rate shows in `queue`, in milliseconds. */
  readonly lag: number
  readonly sentAt: Millis
  readonly now: Millis
  /** Since the report before, in milliseconds. */
  readonly elapsed: number
}
