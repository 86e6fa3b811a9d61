import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import type { BitsPerSecond, Millis } from '../../relay/wire/units.ts'

/** What transport-wide feedback says of one packet. @see draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1 */
export interface PacketArrival {
  /** Transport-wide sequence number. */
  readonly sequenceNumber: number
  /** On the receiver's clock; undefined for a packet that did not arrive. */
  readonly arrivedAt: Millis | undefined
}

/** What {@link UplinkEstimator} starts from. */
export interface UplinkEstimatorOptions {
  /** What the line is known to carry, or more than is ever asked of it. The estimate never exceeds it. */
  readonly initial: BitsPerSecond
}

/** Packets in flight at most, by the width of their number. */
const WINDOW = 0x1_0000
/** A queue is standing when every packet of so long a time waited… */
const STANDING = millis(350)
/** …for longer than this. What waits in spite of less being sent is somebody else's queue, or a busy machine: the limit gives way to it. */
const QUEUE_LIMIT = { least: millis(25), most: millis(150) } as const
/** How fast the limit gives way, and returns: the time for most of the way. */
const LIMIT_RISE = millis(4000)
const LIMIT_FALL = millis(20_000)
/** The shortest delay of so long a time is taken for that of the empty line: routes and clocks change. */
const BASE_MEMORY = millis(30_000)
const BASE_SLOTS = 10
/** Random loss is repaired; a queue that overflows loses more than this. */
const LOSS_LIMIT = 0.08
const LOSS_WINDOW = millis(1000)
/** Packets on which a loss ratio can be judged. */
const LOSS_MIN_PACKETS = 100
/** Arrivals are counted over so long for a rate; the best rate of so many lately is what the line is known to carry. */
const RATE_WINDOW = millis(1000)
const RATES_REMEMBERED = millis(1000)
/** Of what arrives while a queue stands, so much is asked for: the rest drains the queue. */
const BACK_OFF = 0.88
/** Between two decreases, and before any increase after one. */
const SETTLE = millis(1000)
const CALM = millis(2500)
/** Growth per second, far from the rate at which a queue stood last, and near it. */
const GROWTH = 0.15
const GROWTH_NEAR_CEILING = 0.008
/** Less of the budget in use says nothing about what more the line would carry; tiles fill it in steps. */
const IN_USE = 0.6
/** Feedback that stays away for so long while packets are sent is a line in trouble. */
const SILENCE = millis(1000)
const FLOOR = bitsPerSecond(2e6)

interface Arrival {
  readonly at: Millis
  readonly bytes: number
}

/**
 * Estimates what the line to the node carries, from transport-wide feedback. Does no I/O and reads no
 * clock.
 *
 * The estimate falls to somewhat less than what arrives when a queue stands on the line (no packet of
 * the last third of a second came through without waiting) or when it overflows, and halves every second
 * that feedback stays away. It grows slowly while it is used up, more slowly where a queue stood before.
 * What is not asked of the line is not known of it, so that the estimate never falls for lack of use.
 *
 * @see RFC 8836 for what such a controller owes others; G. Carlucci et al., "Congestion Control for
 *   Web Real-Time Communication", IEEE/ACM ToN 2017, for the delay-based part
 */
export class UplinkEstimator {
  readonly #sentAt = new Float64Array(WINDOW).fill(NaN)
  readonly #sizes = new Uint16Array(WINDOW)
  /** Smallest one-way delay (with an unknown clock offset) in each slot of the memory, oldest first. */
  readonly #base: { readonly since: Millis; delay: number }[] = []
  readonly #arrivals: Arrival[] = []
  #losses: { readonly at: Millis; readonly received: number; readonly lost: number }[] = []
  #queueSince: Millis | undefined
  #queue = millis(0)
  #queueLimit: Millis = QUEUE_LIMIT.least
  #rates: { readonly at: Millis; readonly rate: BitsPerSecond }[] = []
  readonly #most: BitsPerSecond
  #budget: BitsPerSecond
  /** What arrived when a queue stood last. */
  #ceiling: BitsPerSecond | undefined
  #decreasedAt = millis(-Infinity)
  #feedbackAt: Millis | undefined
  #unansweredSince: Millis | undefined
  #steppedAt: Millis | undefined

  constructor({ initial }: UplinkEstimatorOptions) {
    this.#most = initial
    this.#budget = initial
  }

  /** What may be sent. */
  get bitsPerSecond(): BitsPerSecond {
    return this.#budget
  }

  /** Whether the line was ever seen to carry no more than was sent. */
  get isLimited(): boolean {
    return this.#ceiling !== undefined
  }

  /** The least time that packets of the last feedback waited on the line. */
  get queueingDelay(): Millis {
    return this.#queue
  }

  /** A packet left. @param size - All of it, headers included, in bytes. */
  sent(sequenceNumber: number, size: number, now: Millis): void {
    this.#sentAt[sequenceNumber] = now
    this.#sizes[sequenceNumber] = size
    this.#unansweredSince ??= now
  }

  /** Feedback came. Packets that were never sent, or answered before, count for nothing. */
  feedback(packets: readonly PacketArrival[], now: Millis): void {
    let shortest = Infinity
    let received = 0
    let lost = 0
    for (const { sequenceNumber, arrivedAt } of packets) {
      const sentAt = this.#sentAt[sequenceNumber] ?? NaN
      if (Number.isNaN(sentAt)) continue
      if (arrivedAt === undefined) {
        lost++
        continue
      }
      received++
      this.#sentAt[sequenceNumber] = NaN
      shortest = Math.min(shortest, arrivedAt - sentAt)
      this.#arrivals.push({ at: arrivedAt, bytes: this.#sizes[sequenceNumber] ?? 0 })
    }
    if (received === 0) return
    this.#feedbackAt = now
    this.#unansweredSince = undefined
    this.#losses.push({ at: now, received, lost })
    this.#noteDelay(shortest, now)
  }

  /** Decides. Call it several times a second. */
  step(now: Millis): BitsPerSecond {
    const elapsed = Math.min(1000, now - (this.#steppedAt ?? now))
    this.#steppedAt = now
    this.#losses = this.#losses.filter(({ at }) => now - at < LOSS_WINDOW)
    this.#rates = [...this.#rates.filter(({ at }) => now - at < RATES_REMEMBERED), { at: now, rate: this.#arrivalRate() }]
    this.#adaptLimit(elapsed)
    if (this.#isSilent(now)) {
      if (now - this.#decreasedAt >= SETTLE) this.#decrease(bitsPerSecond(this.#budget / 2), now)
    } else if (this.#isOverused(now)) {
      if (now - this.#decreasedAt >= SETTLE) this.#backOff(now)
    } else if (now - this.#decreasedAt >= CALM && this.#arrivalRate() >= IN_USE * this.#budget) {
      const isNear = this.#ceiling !== undefined && this.#budget > 0.9 * this.#ceiling && this.#budget < 1.1 * this.#ceiling
      const growth = isNear ? GROWTH_NEAR_CEILING : GROWTH
      this.#budget = bitsPerSecond(Math.min(this.#most, this.#budget * (1 + (growth * elapsed) / 1000)))
    }
    return this.#budget
  }

  /** Bits per second that arrived lately. */
  #arrivalRate(): BitsPerSecond {
    const newest = this.#arrivals.at(-1)
    if (newest === undefined) return bitsPerSecond(0)
    const first = this.#arrivals.findIndex(({ at }) => newest.at - at < RATE_WINDOW)
    this.#arrivals.splice(0, first)
    const bytes = this.#arrivals.reduce((sum, arrival) => sum + arrival.bytes, 0)
    const span = Math.max(RATE_WINDOW / 4, newest.at - (this.#arrivals[0]?.at ?? newest.at))
    return bitsPerSecond((bytes * 8 * 1000) / span)
  }

  #noteDelay(shortest: number, now: Millis): void {
    const slot = this.#base.at(-1)
    if (slot === undefined || now - slot.since >= BASE_MEMORY / BASE_SLOTS) this.#base.push({ since: now, delay: shortest })
    else slot.delay = Math.min(slot.delay, shortest)
    if (this.#base.length > BASE_SLOTS) this.#base.shift()
    this.#queue = millis(shortest - Math.min(...this.#base.map(({ delay }) => delay)))
    if (this.#queue <= this.#queueLimit) this.#queueSince = undefined
    else this.#queueSince ??= now
  }

  /** @see the adaptive threshold in section IV-B of the paper named above */
  #adaptLimit(elapsed: number): void {
    const towards = Math.min(QUEUE_LIMIT.most, Math.max(QUEUE_LIMIT.least, this.#queue * 1.2))
    const time = towards > this.#queueLimit ? LIMIT_RISE : LIMIT_FALL
    this.#queueLimit = millis(this.#queueLimit + (towards - this.#queueLimit) * Math.min(1, elapsed / time))
  }

  #isSilent(now: Millis): boolean {
    return this.#feedbackAt !== undefined && this.#unansweredSince !== undefined && now - this.#unansweredSince >= SILENCE
  }

  #isOverused(now: Millis): boolean {
    if (this.#queueSince !== undefined && now - this.#queueSince >= STANDING) return true
    const received = this.#losses.reduce((sum, loss) => sum + loss.received, 0)
    const lost = this.#losses.reduce((sum, loss) => sum + loss.lost, 0)
    return received + lost >= LOSS_MIN_PACKETS && lost / (received + lost) > LOSS_LIMIT
  }

  #backOff(now: Millis): void {
    const arriving = bitsPerSecond(Math.max(...this.#rates.map(({ rate }) => rate)))
    this.#ceiling = arriving
    this.#queueSince = undefined
    this.#losses = []
    this.#decrease(bitsPerSecond(arriving * BACK_OFF), now)
  }

  #decrease(to: BitsPerSecond, now: Millis): void {
    this.#budget = bitsPerSecond(Math.max(FLOOR, Math.min(this.#budget, to)))
    this.#decreasedAt = now
  }
}
