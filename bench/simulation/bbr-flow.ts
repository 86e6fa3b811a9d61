import { bitsPerSecond, bytes, millis, transmissionTime } from '../../relay/wire/units.ts'
import type { Bytes, Millis } from '../../relay/wire/units.ts'
import type { SharedLine } from './bottleneck.ts'
import type { VirtualTime } from './virtual-time.ts'

const SEGMENT = bytes(1460)
const ACK = bytes(52)
const STARTUP_GAIN = 2.885
const CYCLE = [1.25, 0.75, 1, 1, 1, 1, 1, 1]
const PROBE_RTT_EVERY = 10_000
const PROBE_RTT_FOR = 200

/**
 * A bulk transfer under BBR (version 1, which most of the Internet's BBR still is), as a competitor: startup and drain,
 * the eight-phase cycle of gains over the largest delivery rate of ten round trips, two bandwidth-delay products in
 * flight at most, and the pause every ten seconds in which it finds the shortest round trip. It does not answer loss.
 * What it leaves out: acknowledgement aggregation, long-term sampling for policers, loss recovery of its own.
 *
 * @see draft-cardwell-iccrg-bbr-congestion-control-00 section 4
 */
export class BbrFlow {
  readonly #time: VirtualTime
  readonly #line: SharedLine
  readonly #stopAt: number
  #state: 'startup' | 'drain' | 'probe_bandwidth' | 'probe_rtt' = 'startup'
  /** Largest delivery rate, in bits per second, of each of the last ten round trips. */
  readonly #rates = new Float64Array(10)
  #round = 0
  #roundEndsAt = 0
  #fullRate = 0
  #fullRounds = 0
  #shortest = 100
  #shortestAt = 0
  #phase = 0
  #phaseSince = 0
  #probeUntil = 0
  #inflight = 0
  #delivered = 0
  #deliveredAt = 0
  #isWaiting = false

  constructor(time: VirtualTime, line: SharedLine, { startAt = millis(0), stopAt = millis(Infinity) }: { readonly startAt?: Millis; readonly stopAt?: Millis } = {}) {
    this.#time = time
    this.#line = line
    this.#stopAt = stopAt
    time.at(startAt, () => {
      this.#deliveredAt = time.now
      this.#shortestAt = time.now
      this.#send()
    })
  }

  /** Acknowledged so far. */
  get deliveredBytes(): Bytes {
    return bytes(this.#delivered)
  }

  get #bottleneckRate(): number {
    let most = 0
    for (const rate of this.#rates) most = Math.max(most, rate)
    return most === 0 ? (10 * SEGMENT * 8000) / this.#shortest : most
  }

  get #gain(): number {
    if (this.#state === 'startup') return STARTUP_GAIN
    if (this.#state === 'drain') return 1 / STARTUP_GAIN
    return this.#state === 'probe_rtt' ? 1 : (CYCLE[this.#phase] ?? 1)
  }

  /** Segments that may be in flight. */
  get #window(): number {
    if (this.#state === 'probe_rtt') return 4
    const product = (this.#bottleneckRate * this.#shortest) / 8000 / SEGMENT
    return Math.max(4, (this.#state === 'startup' ? STARTUP_GAIN : 2) * product)
  }

  readonly #send = (): void => {
    const { now } = this.#time
    if (now >= this.#stopAt) return
    if (this.#inflight >= this.#window) {
      this.#isWaiting = true
      return
    }
    this.#isWaiting = false
    this.#inflight++
    const { delivered, deliveredAt } = { delivered: this.#delivered, deliveredAt: this.#deliveredAt }
    const arrivedAt = this.#line.send(SEGMENT)
    if (arrivedAt === Infinity) this.#time.after(millis(1.5 * this.#shortest), () => this.#leave())
    else this.#time.at(arrivedAt, () => this.#acknowledge(now, delivered, deliveredAt))
    this.#time.after(transmissionTime(SEGMENT, bitsPerSecond(this.#gain * this.#bottleneckRate)), this.#send)
  }

  #leave(): void {
    this.#inflight--
    if (this.#isWaiting) this.#send()
  }

  #acknowledge(sentAt: Millis, delivered: number, deliveredAt: number): void {
    const backAt = this.#line.reply(ACK)
    this.#time.at(backAt === Infinity ? millis(this.#time.now + this.#shortest / 2) : backAt, () => {
      const { now } = this.#time
      this.#delivered += SEGMENT
      this.#deliveredAt = now
      const roundTrip = now - sentAt
      if (roundTrip <= this.#shortest || this.#shortestAt === 0) {
        this.#shortest = roundTrip
        this.#shortestAt = now
      }
      if (now > deliveredAt) this.#sample(((this.#delivered - delivered) * 8000) / Math.max(roundTrip, now - deliveredAt), delivered, now)
      this.#advance(now, roundTrip)
      this.#leave()
    })
  }

  #sample(rate: number, delivered: number, now: Millis): void {
    if (delivered >= this.#roundEndsAt) {
      this.#roundEndsAt = this.#delivered
      this.#round = (this.#round + 1) % this.#rates.length
      this.#rates[this.#round] = 0
      this.#endRound(now)
    }
    this.#rates[this.#round] = Math.max(this.#rates[this.#round] ?? 0, rate)
  }

  #endRound(now: Millis): void {
    if (this.#state !== 'startup') return
    const rate = this.#bottleneckRate
    if (rate >= 1.25 * this.#fullRate) {
      this.#fullRate = rate
      this.#fullRounds = 0
    } else if (++this.#fullRounds >= 3) {
      this.#enter('drain', now)
    }
  }

  #advance(now: Millis, roundTrip: number): void {
    const product = (this.#bottleneckRate * this.#shortest) / 8000 / SEGMENT
    if (this.#state === 'drain' && this.#inflight <= product) this.#enter('probe_bandwidth', now)
    if (this.#state === 'probe_bandwidth' && (now - this.#phaseSince >= this.#shortest || (this.#phase === 1 && this.#inflight <= product))) {
      this.#phase = (this.#phase + 1) % CYCLE.length
      this.#phaseSince = now
    }
    if (this.#state === 'probe_bandwidth' && now - this.#shortestAt >= PROBE_RTT_EVERY) {
      this.#shortest = roundTrip
      this.#shortestAt = now
      this.#probeUntil = now + PROBE_RTT_FOR + roundTrip
      this.#enter('probe_rtt', now)
    }
    if (this.#state === 'probe_rtt' && now >= this.#probeUntil) this.#enter('probe_bandwidth', now)
  }

  #enter(state: 'drain' | 'probe_bandwidth' | 'probe_rtt', now: Millis): void {
    this.#state = state
    this.#phase = 2
    this.#phaseSince = now
  }
}
