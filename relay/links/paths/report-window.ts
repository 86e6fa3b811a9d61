import { bitsPerSecond, millis } from '../../wire/units.ts'
import type { BitsPerSecond, Bytes, Millis } from '../../wire/units.ts'

const CELLS = 128
/** Packets that came no further apart belong to one burst, in milliseconds. */
const BURST_GAP = 3
/** Delays have to fall by so much within a burst to tell of a queue, in milliseconds: more than they wander by themselves. */
const BURST_FALL = 20
/** And by so many times the time in which its packets came. */
const BURST_SLOPE = 4

/**
 * What the reports of the last seconds said, in cells of one report or a few: rates over any span of them, loss, and
 * the shortest delay. Acknowledgements are added up in scalars, so that one costs no memory. Does no I/O and reads no
 * clock.
 */
export class ReportWindow {
  readonly #closedAt = new Float64Array(CELLS)
  readonly #arrivedAt = new Float64Array(CELLS)
  readonly #sentAt = new Float64Array(CELLS)
  readonly #bytes = new Float64Array(CELLS)
  readonly #packets = new Float64Array(CELLS)
  readonly #lost = new Float64Array(CELLS)
  readonly #delays = new Float64Array(CELLS)
  readonly #bursts = new Float64Array(CELLS)
  #count = 0
  /** The first cell that may be measured from the end of. */
  #from = 0
  // Of the open cell:
  #openBytes = 0
  #openPackets = 0
  #openLost = 0
  #openDelay = Infinity
  #openBurst = 0
  #lastArrival = -Infinity
  #lastSent = -Infinity

  // Of the burst that goes on:
  #burstSince = Infinity
  #burstDelay = 0
  #burstBytes = 0

  /** Delivered over the span asked for last. */
  delivered = bitsPerSecond(0)
  /** Sent in the same packets, those included that got lost. */
  sent = bitsPerSecond(0)
  /** Lost over sent in that span, and how many packets this is taken from. */
  lossRatio = 0
  packets = 0

  /** Cells closed so far. */
  get count(): number {
    return this.#count
  }

  /** Shortest delay in the last closed cell. */
  get newestDelay(): Millis {
    return millis(this.#delays[(this.#count - 1) % CELLS] ?? Infinity)
  }

  /** Sending time of the last packet of the last closed cell. */
  get newestSentAt(): Millis {
    return millis(this.#sentAt[(this.#count - 1) % CELLS] ?? -Infinity)
  }

  /** Whether anything arrived since the last cell was closed. */
  get hasArrivals(): boolean {
    return this.#openPackets > 0
  }

  /** A packet arrived. */
  acknowledge(sentAt: Millis, arrivedAt: Millis, size: Bytes): void {
    const delay = arrivedAt - sentAt
    if (!Number.isFinite(delay)) return
    if (delay < this.#openDelay) this.#openDelay = delay
    this.#noteBurst(arrivedAt, delay, size)
    if (arrivedAt > this.#lastArrival) this.#lastArrival = arrivedAt
    if (sentAt > this.#lastSent) this.#lastSent = sentAt
    this.#openBytes += size
    this.#openPackets++
  }

  /** So many packets did not. */
  lose(count: number): void {
    this.#openLost += count
  }

  /** Closes the cell; false, and nothing happens, when nothing arrived in it. */
  close(now: Millis): boolean {
    if (this.#openPackets === 0) return false
    const index = this.#count++ % CELLS
    this.#closedAt[index] = now
    this.#arrivedAt[index] = this.#lastArrival
    this.#sentAt[index] = this.#lastSent
    this.#bursts[index] = this.#openBurst
    this.#bytes[index] = this.#openBytes
    this.#packets[index] = this.#openPackets
    this.#lost[index] = this.#openLost
    this.#delays[index] = this.#openDelay
    this.#openBytes = this.#openPackets = this.#openLost = 0
    this.#openDelay = Infinity
    this.#openBurst = 0
    return true
  }

  /** From now on nothing is measured that came before the end of the last closed cell. */
  restart(): void {
    this.#from = this.#count - 1
  }

  /** The shortest delay in cells closed since. */
  shortestDelay(since: number): Millis {
    let shortest = Infinity
    for (let age = 1; age <= Math.min(CELLS, this.#count); age++) {
      const index = (this.#count - age) % CELLS
      if (age > 1 && (this.#closedAt[index] ?? 0) < since) break
      shortest = Math.min(shortest, this.#delays[index] ?? Infinity)
    }
    return millis(shortest)
  }

  /**
   * How fast a queue came out all at once, in cells closed since then: delays fell by far more than the time in which
   * the packets came. 0 where none did.
   */
  burst(since: number): BitsPerSecond {
    let highest = 0
    for (let age = 1; age <= Math.min(CELLS, this.#count); age++) {
      const index = (this.#count - age) % CELLS
      if ((this.#closedAt[index] ?? 0) < since) break
      highest = Math.max(highest, this.#bursts[index] ?? 0)
    }
    return bitsPerSecond(highest)
  }

  /**
   * Adds up the last cells that together span so long a time, into {@link delivered}, {@link sent}, {@link lossRatio}
   * and {@link packets}. False when there are not that many yet.
   */
  measure(span: number): boolean {
    let acknowledged = 0
    let packets = 0
    let lost = 0
    const newest = (this.#count - 1) % CELLS
    const arrivedAt = this.#arrivedAt[newest] ?? 0
    const sentAt = this.#sentAt[newest] ?? 0
    for (let age = 1; age < Math.min(CELLS, this.#count - this.#from); age++) {
      const index = (this.#count - age) % CELLS
      const before = (this.#count - age - 1) % CELLS
      acknowledged += this.#bytes[index] ?? 0
      packets += this.#packets[index] ?? 0
      lost += this.#lost[index] ?? 0
      const sentSpan = sentAt - (this.#sentAt[before] ?? 0)
      const arrivalSpan = Math.max(1, arrivedAt - (this.#arrivedAt[before] ?? 0))
      if (Math.max(sentSpan, arrivalSpan) < span) continue
      this.packets = packets + lost
      this.lossRatio = lost / this.packets
      this.delivered = rate(acknowledged, arrivalSpan)
      this.sent = rate(acknowledged / (1 - this.lossRatio), Math.max(1, sentSpan))
      return true
    }
    return false
  }

  #noteBurst(arrivedAt: number, delay: number, size: number): void {
    const isNext = arrivedAt >= this.#lastArrival && arrivedAt - this.#lastArrival <= BURST_GAP
    if (!isNext) {
      this.#burstSince = arrivedAt
      this.#burstDelay = delay
      this.#burstBytes = 0
      return
    }
    this.#burstBytes += size
    const fall = this.#burstDelay - delay
    if (fall < BURST_FALL) return
    const span = Math.max(1, arrivedAt - this.#burstSince)
    if (fall >= BURST_SLOPE * span) this.#openBurst = Math.max(this.#openBurst, rate(this.#burstBytes, span))
  }
}

const rate = (size: number, span: number): BitsPerSecond => bitsPerSecond((size * 8000) / span)
