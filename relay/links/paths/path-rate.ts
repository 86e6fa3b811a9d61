import { bitsPerSecond, millis } from '../../wire/units.ts'
import { BaseDelay } from './base-delay.ts'
import { ForeignQueue } from './foreign-queue.ts'
import { QueueDrain } from './queue-drain.ts'
import { ReportWindow } from './report-window.ts'
import { UsualDelay } from './usual-delay.ts'
import type { BitsPerSecond, Bytes, Millis } from '../../wire/units.ts'
import type { RateControl } from './rate-control.ts'

/** What {@link PathRate} starts from. */
export interface PathRateOptions {
  /** What the path is known to carry, or a guess. */
  readonly initial: BitsPerSecond
  /** Whether `initial` is agreed: then it is sent at from the start, and never exceeded by more than a twentieth. */
  readonly isKnown: boolean
  /** 1 Mbit/s without it. */
  readonly least?: BitsPerSecond
  /** 10 Gbit/s without it. */
  readonly most?: BitsPerSecond
}

/** Standing queue aimed at by a flow of 100 Mbit/s; slower ones aim at longer, which is what makes flows share evenly. */
const TARGET = millis(3)
const TARGET_RATE = 100e6
const TARGET_EXPONENT = -1 / 3
/** Reports are gathered for at least so long before something is decided. */
const CELL = millis(15)
/** An agreed rate is exceeded by as much: what a measurement is off. */
const KNOWN_MARGIN = 1.05
/** Of what was delivered, so much is taken for possible when less than that is asked for. */
const IDLE_ALLOWANCE = 2
const BUSY_ALLOWANCE = 1.5
/** So much where a queue stood before and delays wander: one that grows is noticed late there. */
const RESTLESS_ALLOWANCE = 1.1
/** Queue that a growth step may build before it is heard of. */
const GROWTH_QUEUE = millis(8)
/** Beside others that fill the queue, it may grow to here before less is sent. */
const MOST_FOREIGN = millis(400)
/** More than this is not taken for loss that has nothing to do with the rate. */
const MOST_USUAL_LOSS = 0.06
/** The best delivery rate is forgotten over so long. */
const BEST_MEMORY = millis(30_000)
/** Of the bottleneck; who fills the queue gets the rest. */
const ENOUGH = 0.42
const SILENCE = millis(1000)
/** After a silence of so long, what was sent before says nothing of what follows. */
const PAUSE = millis(100)
/**
 * While less is asked for than allowed, a queue has to stand for so long before it is believed: a machine at either end
 * that was not run for a moment leaves one, too, and that is gone again by itself.
 */
const STANDING = millis(350)
/** A rate of which so much was delivered is no guess. */
const PROVEN = 0.5
/** So much lost together with a longer delay is a queue that overflows. */
const OVERFLOW = 0.2
/** A queue that overflows by less shows over so long. */
const OVERFLOW_SPAN = millis(800)

/**
 * Congestion control of one path by delay, paced. Does no I/O and reads no clock.
 *
 * While something always waits to be sent, it keeps a queue of a few milliseconds at the bottleneck: the rate is what
 * the far end was seen to get, and the pace a little more or less than that by how far the queue is from its target, so
 * that after a step the rate is right at once and only the queue has to be corrected (as BBR and Copa take the delivery
 * rate for the model; NADA's gradual update has to find it by steps). While the queue is empty, the rate grows, the
 * slower the nearer it is to where a queue stood last, as CUBIC's window does. The target is longer for slow flows,
 * which is what makes two of a kind share evenly (as in Copa and FAST; LEDBAT, whose target is one for all, does not).
 * When the queue was not seen empty for some seconds it is emptied on purpose: a late-comer takes the queue that it
 * finds for the empty path, and all that see an empty queue at once look again at once (as BBR's ProbeRTT).
 *
 * - Overload: the delay is longer than what is usual with it, and less arrives than was sent: the rate falls to what
 *   arrives, within two round trips, and the queue drains at once.
 * - A machine that was not run for a moment looks like overload, too: what waited for it comes out faster than any
 *   bottleneck lets it out, and the rate is again what it was.
 * - Delays that wander by themselves bend from one report to the next, which a queue does not. Where they do, the
 *   shortest delay is taken over up to half a second.
 * - Loss below a tenth more than usual means nothing by itself. A queue that overflows also delays.
 * - While less is asked for than is allowed nothing falls, but for overload and overflow, and the rate is let up to
 *   a little more than what arrives.
 * - A queue of others ({@link ForeignQueue}) is competed for as TCP would, up to a fair part of it.
 *
 * @see G. Carlucci et al., "Congestion Control for Web Real-Time Communication", IEEE/ACM ToN 2017; RFC 8698 (NADA);
 *   RFC 8298 (SCReAM); RFC 6817 (LEDBAT); V. Arun, H. Balakrishnan, "Copa", NSDI 2018,
 *   section 2; draft-cardwell-iccrg-bbr-congestion-control-00 section 4; RFC 9438 (CUBIC) section 4.2; RFC 8836 for
 *   what such a controller owes others
 */
export class PathRate implements RateControl {
  readonly #least: number
  readonly #most: number
  readonly #window = new ReportWindow()
  readonly #base = new BaseDelay()
  readonly #usual = new UsualDelay()
  readonly #drain = new QueueDrain()
  readonly #foreign = new ForeignQueue()
  #rate: number
  #isProven: boolean
  #pace: number
  #roundTrip = 100
  #cellSince = -Infinity
  #isCellBusy = true
  #sentAt = -Infinity
  /** When the last silence ended. */
  #resumedAt = -Infinity
  /** Whether what is measured is of after that. */
  #isResumed = false
  #queue = millis(0)
  #usualLoss = 0
  #isOverloaded = false
  #overloadedAt = -Infinity
  #rateBefore = 0
  #ceilingBefore = 0
  /** Largest delivery rate of late. */
  #bestRate = 0
  #wasProbing = false
  #lowSince: number | undefined
  /** The rate at that time: with it no queue showed. A machine that stalled may have sent less for a moment. */
  #lowRate = 0
  /** What was delivered when a queue stood last. */
  #ceiling = 0
  #yieldedAt = -Infinity
  #lossAnsweredAt = -Infinity
  #overflowAnsweredAt = -Infinity
  #heardAt = -Infinity
  #unansweredSince: number | undefined

  constructor({ initial, isKnown, least = bitsPerSecond(1e6), most = bitsPerSecond(10e9) }: PathRateOptions) {
    this.#least = least
    this.#isProven = isKnown
    this.#most = isKnown ? Math.min(most, initial * KNOWN_MARGIN) : most
    this.#rate = this.#pace = Math.min(this.#most, Math.max(least, initial))
  }

  get pace(): BitsPerSecond {
    return bitsPerSecond(this.#pace)
  }

  get capacity(): BitsPerSecond {
    return bitsPerSecond(this.#rate)
  }

  get isProven(): boolean {
    return this.#isProven
  }

  get queueingDelay(): Millis {
    return this.#queue
  }

  sent(_size: Bytes, now: Millis): void {
    this.#unansweredSince ??= now
    if (now - this.#sentAt > PAUSE) {
      this.#resumedAt = now
      this.#isResumed = false
    }
    this.#sentAt = now
  }

  acknowledged(sentAt: Millis, arrivedAt: Millis, size: Bytes): void {
    this.#window.acknowledge(sentAt, arrivedAt, size)
  }

  lost(count: number): void {
    this.#window.lose(count)
  }

  reported(now: Millis, roundTrip: Millis, isBusy: boolean): void {
    // A report of nothing but loss is as good as silence.
    if (this.#window.hasArrivals) {
      this.#heardAt = now
      this.#unansweredSince = undefined
    }
    if (roundTrip >= 0 && roundTrip < 60_000) this.#roundTrip += (roundTrip - this.#roundTrip) / (this.#window.count < 8 ? 2 : 8)
    this.#isCellBusy &&= isBusy
    if (now - this.#cellSince < CELL || !this.#window.close(now)) return
    const elapsed = Math.min(200, Math.max(0, now - this.#cellSince))
    const isCellBusy = this.#isCellBusy && this.#isResumed
    this.#cellSince = now
    this.#isCellBusy = true
    this.#base.note(this.#window.newestDelay, now)
    this.#usual.note(this.#window.newestDelay, elapsed)
    this.#queue = millis(this.#window.newestDelay - this.#base.value)
    if (!this.#isResumed && this.#window.newestSentAt >= this.#resumedAt) {
      this.#isResumed = true
      this.#window.restart()
    }
    this.#decide(now, elapsed, isCellBusy)
  }

  step(now: Millis): void {
    if (this.#unansweredSince === undefined) return
    const silence = Math.max(SILENCE, 2 * this.#roundTrip)
    if (now - Math.max(this.#unansweredSince, this.#heardAt) < silence) return
    // Only what is sent from here on can be unanswered again.
    this.#unansweredSince = undefined
    this.#setRate(this.#rate / 2)
    this.#pace = this.#rate
  }

  get #target(): number {
    return targetOf(this.#rate)
  }

  /** How long it takes until a decision shows in a report, and is believed. */
  get #lag(): number {
    return this.#roundTrip + 30 + this.#memory
  }

  /** How long it takes until a decision shows at all. */
  get #hearing(): number {
    return this.#roundTrip + 30 + Math.min(150, this.#memory)
  }

  /** Over so long the shortest delay is taken: longer where delays wander by themselves. */
  get #memory(): number {
    return Math.min(500, Math.max(20, 250 * (this.#usual.noise - 0.3)))
  }

  #decide(now: Millis, elapsed: number, isBusy: boolean): void {
    const window = this.#window
    const standing = window.shortestDelay(now - this.#memory) - this.#base.value
    // Where delays wander, a short one may as well be a longer queue's luck.
    if (!isBusy || (!this.#usual.isRestless && this.#queue < 0.3 + 0.25 * this.#target)) this.#drain.empty(now)
    if (!this.#isProven && window.measure(200) && window.delivered >= PROVEN * this.#rate) this.#isProven = true
    if (!window.measure(Math.max(50, this.#memory / 3))) return
    this.#bestRate = Math.max(window.delivered, this.#bestRate * (1 - elapsed / BEST_MEMORY))
    this.#watchOverload(now, isBusy)
    if (this.#isOverloaded && window.delivered < 0.97 * window.sent) {
      this.#setRate(Math.min(this.#rate, this.#deliverable()))
      this.#ceiling = this.#rate
    }
    this.#answerLoss(now)
    const queue = this.#isOverloaded ? this.#queue : standing
    if (isBusy) this.#foreign.note({ queue, limit: 1.5 * Math.min(13, targetOf(this.#bestRate)) + 5 + 2 * this.#usual.deviation, lag: this.#lag, sentAt: window.newestSentAt, now, elapsed })
    if (isBusy) this.#adapt(queue, now, elapsed)
    else this.#idle(queue, elapsed)
    this.#setPace(queue, now, isBusy)
  }

  /** What gets through: all that was sent over the time it took to arrive, unless a queue overflows. */
  #deliverable(): number {
    const { delivered, lossRatio } = this.#window
    return delivered / (1 - Math.min(lossRatio, this.#isOverloaded ? this.#usualLoss : MOST_USUAL_LOSS))
  }

  /** More is sent than delivered, and the delay is longer than what wanders by itself. */
  #watchOverload(now: Millis, isBusy: boolean): void {
    const { delivered, sent, lossRatio } = this.#window
    if (this.#foreign.isPresent) {
      this.#isOverloaded = false
      return
    }
    if (this.#isOverloaded) {
      this.#isOverloaded = this.#queue > this.#target + 2 * this.#usual.deviation
      if (!this.#isOverloaded) this.#forgiveStall()
      // All the time a queue stood, so that what was delivered over it is what the path carries.
      const isLong = !this.#isOverloaded && this.#window.measure(Math.max(150, now - this.#overloadedAt))
      if (isLong) this.#setRate(Math.max(this.#rate, Math.min(this.#window.delivered, this.#rateBefore)))
      return
    }
    const isGrowing = delivered / (1 - lossRatio) < 0.93 * sent && (isBusy || lossRatio > OVERFLOW || this.#hasGrown(now))
    this.#isOverloaded = isGrowing && this.#usual.isExceeded && this.#queue > 1.5 * this.#target
    if (!this.#isOverloaded) return
    this.#isProven = true
    this.#overloadedAt = now
    this.#lowSince = undefined
    this.#rateBefore = this.#rate
    this.#ceilingBefore = this.#ceiling
  }

  /**
   * A queue at a bottleneck comes out of it no faster than the bottleneck carries. What came out faster waited elsewhere:
   * for a machine that was not run for a moment, which says nothing of the path.
   */
  #forgiveStall(): void {
    const shown = Math.min(this.#rateBefore, this.#window.burst(this.#overloadedAt))
    if (shown <= this.#rate) return
    this.#setRate(shown)
    this.#ceiling = this.#ceilingBefore
  }

  /** Whether more gets lost than by chance, even in bursts. */
  #isLossy(): boolean {
    return this.#window.lossRatio > 0.1 + 2 * this.#usualLoss + 2 / Math.sqrt(this.#window.packets)
  }

  /** Whether a queue has stood for long and less arrived than was sent all the while: what a machine that stalled held back arrives soon after. */
  #hasGrown(now: Millis): boolean {
    const window = this.#window
    const span = Math.max(50, this.#memory / 3)
    const hasGrown = this.#isFull(now) && window.measure(STANDING) && window.delivered / (1 - window.lossRatio) < 0.95 * window.sent
    window.measure(span)
    return hasGrown
  }

  /** A queue has stood for so long, and it is not a competitor's. */
  #isFull(now: Millis, span: number = STANDING): boolean {
    return !this.#foreign.isPresent && this.#window.shortestDelay(now - span) - this.#base.value > 1.5 * this.#target
  }

  /** A little less gets through than is sent, for long, and a queue stands: it overflows all the time. */
  #answerOverflow(now: Millis): void {
    const window = this.#window
    if (now - this.#overflowAnsweredAt < OVERFLOW_SPAN || !this.#isFull(now, OVERFLOW_SPAN)) return
    if (!window.measure(OVERFLOW_SPAN) || window.lossRatio < 0.03 + 2 * this.#usualLoss + 0.5 / Math.sqrt(window.packets)) return
    this.#overflowAnsweredAt = now
    this.#setRate(Math.min(this.#rate, window.delivered / (1 - this.#usualLoss)))
  }

  #answerLoss(now: Millis): void {
    const window = this.#window
    this.#answerOverflow(now)
    if (!window.measure(Math.max(200, this.#roundTrip)) || window.packets < 100) return
    const { lossRatio } = window
    if (this.#isLossy() && now - this.#lossAnsweredAt > this.#roundTrip + 200) {
      this.#lossAnsweredAt = now
      // A queue that stands and overflows shows what the path carries; loss alone may still be chance.
      const deliverable = window.delivered / (1 - this.#usualLoss)
      this.#ceiling = deliverable
      this.#setRate(Math.max(this.#isFull(now) ? 0 : 0.85 * this.#rate, Math.min(this.#rate, deliverable)))
    }
    if (this.#queue < 2 * this.#target) this.#usualLoss = Math.min(MOST_USUAL_LOSS, this.#usualLoss + (lossRatio - this.#usualLoss) * 0.01)
  }

  /** Something always waits to be sent: the path shows what it carries. */
  #adapt(queue: number, now: Millis, elapsed: number): void {
    if (this.#drain.isHeard(now, this.#roundTrip) || this.#isOverloaded || this.#foreign.isProbing(now)) return
    const target = this.#target
    const lag = this.#lag
    if (!this.#window.measure(Math.max(100, lag))) return
    if (queue < Math.min(0.5, 0.3 + 0.1 * this.#usual.noise) * target) {
      this.#grow(now, elapsed)
      return
    }
    // Where delays wander, one long delay is no proof of a queue: it takes back some of the time that none was seen.
    if (this.#lowSince !== undefined && this.#usual.isRestless && queue > target) this.#lowSince += 4 * elapsed
    if (this.#lowSince !== undefined && (this.#lowSince >= now || !this.#usual.isRestless)) {
      this.#lowSince = undefined
      // What grew since the packets just heard of were sent grew unseen.
      if (this.#window.measure(50)) this.#setRate(Math.min(this.#rate, Math.max(this.#lowRate, this.#window.sent, this.#window.delivered)))
    }
    if (this.#foreign.isPresent) {
      this.#compete(queue, now, elapsed)
      return
    }
    this.#window.measure(Math.max(100, lag))
    const { sent } = this.#window
    const deliverable = this.#deliverable()
    if (queue > target && !this.#usual.isRestless) this.#ceiling = deliverable
    const isForeign = queue > 2 * target
    const towards = isForeign ? this.#rate * Math.min(1, deliverable / sent) : deliverable
    const excess = Math.max(-1, Math.min(1, (target - queue) / target))
    const drift = 0.25 * Math.min(1, (90 / lag) ** 2) * excess
    const rate = this.#rate + (towards - this.#rate) * (1 - Math.exp(-elapsed / (3 * lag)))
    this.#setRate(rate * Math.exp((drift * elapsed) / 1000))
  }

  /** No queue shows: the path may carry more. Slowly at first where a queue stood before. */
  #grow(now: Millis, elapsed: number): void {
    if (this.#lowSince === undefined) {
      this.#lowSince = now
      this.#lowRate = this.#rate
    }
    const isNear = this.#ceiling > 0 && this.#rate > 0.85 * this.#ceiling
    const heard = this.#ceiling > 0 ? this.#hearing : this.#roundTrip + 30 + Math.min(50, this.#memory)
    const most = Math.min(4, (2000 * (GROWTH_QUEUE + Math.min(8, 2 * this.#usual.deviation))) / heard ** 2)
    const growth = most * Math.min(1, Math.max(0, (now - this.#lowSince) / heard - 1) / (isNear ? 8 : 2)) ** 2
    const allowance = this.#ceiling > 0 && this.#usual.isRestless ? RESTLESS_ALLOWANCE : BUSY_ALLOWANCE
    this.#setRate(Math.max(this.#rate, Math.min(this.#rate * Math.exp((growth * elapsed) / 1000), allowance * this.#deliverable())))
  }

  /** As a TCP of its round trip would: a little more all the time, and less when the queue overflows or grows too long. */
  #compete(queue: number, now: Millis, elapsed: number): void {
    const { share } = this.#foreign
    if (this.#foreign.takeProbed()) {
      // Two that take each other for foreign must both go down, or the queue stays.
      if (share > ENOUGH) this.#setRate((share > 0.55 ? 0.8 : 0.9) * this.#rate)
      // Nobody's queue is that still: the path has become longer.
      if (share < 0.1 && !this.#usual.isRestless && this.#usual.deviation < 1) this.#base.restart()
    }
    const window = this.#window
    if (!window.measure(200)) return
    // With hardly any of the bottleneck, one does not make its queue overflow.
    if ((share > 0.15 && window.lossRatio > 0.02 + 2 * this.#usualLoss) || queue > MOST_FOREIGN) {
      if (now - this.#yieldedAt < 1000) return
      this.#yieldedAt = now
      this.#setRate(0.8 * this.#rate)
      return
    }
    if (share > ENOUGH) return
    const growth = Math.max(0.04 * this.#rate, Math.min(0.25 * this.#rate, (3 * 8000 * 1250 * 1000) / this.#roundTrip ** 2))
    this.#setRate(this.#rate + (growth * elapsed) / 1000)
  }

  /** Less is asked for than allowed: nothing is learned of the path but that it carries this. */
  #idle(queue: number, elapsed: number): void {
    this.#lowSince = undefined
    if (queue > this.#target || !this.#window.measure(500) || this.#isLossy()) return
    const proven = IDLE_ALLOWANCE * this.#deliverable()
    if (proven > this.#rate) this.#setRate(Math.min(proven, this.#rate * Math.exp(elapsed / 1000)))
  }

  #setPace(queue: number, now: Millis, isBusy: boolean): void {
    const { delivered } = this.#window.measure(100) ? this.#window : { delivered: this.#rate }
    const passing = Math.min(this.#rate, delivered / (1 - this.#usualLoss))
    const roundTrip = this.#roundTrip
    if (isBusy && !this.#foreign.isPresent) this.#drain.step({ now, roundTrip, queue, base: this.#base.value, delivered: passing, isRestless: this.#usual.isRestless })
    const isProbing = isBusy && this.#foreign.isProbing(now)
    // With more than what gets through, sending less would show nothing.
    if (isProbing && !this.#wasProbing) this.#setRate(passing)
    this.#wasProbing = isProbing
    this.#pace = Math.min(this.#most, Math.max(this.#least, this.#drain.pace(now) ?? this.#rate * this.#paceFactor(queue, now, isBusy)))
  }

  #paceFactor(queue: number, now: Millis, isBusy: boolean): number {
    if (!isBusy && !this.#isOverloaded) return 1
    if (this.#foreign.isPresent || this.#foreign.isProbing(now)) return this.#foreign.paceFactor(now)
    const correction = (this.#target - queue) / ((this.#isOverloaded ? 1 : 2) * this.#hearing)
    return 1 + Math.max(-0.6, Math.min(isBusy ? 0.05 : 0, correction))
  }

  #setRate(rate: number): void {
    this.#rate = Math.min(this.#most, Math.max(this.#least, rate))
  }
}

const targetOf = (rate: number): number => TARGET * (rate / TARGET_RATE) ** TARGET_EXPONENT
