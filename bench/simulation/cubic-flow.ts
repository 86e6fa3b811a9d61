import { bytes, millis } from '../../relay/wire/units.ts'
import type { Bytes, Millis } from '../../relay/wire/units.ts'
import type { SharedLine } from './bottleneck.ts'
import type { VirtualTime } from './virtual-time.ts'

const SEGMENT = bytes(1460)
const ACK = bytes(52)
/** @see RFC 9438 sections 4.1 and 4.6 */
const C = 0.4
const BETA = 0.7
const INITIAL_WINDOW = 10

/**
 * A bulk transfer under CUBIC, as a competitor: slow start, the cubic function of the time since the last decrease, its
 * Reno-friendly region, fast convergence, and one multiplicative decrease for each round trip with a loss. What it leaves
 * out: retransmission timeouts (a lost segment is noticed one round trip later), HyStart++, delayed acknowledgements.
 *
 * @see RFC 9438 sections 4.2 to 4.7
 */
export class CubicFlow {
  readonly #time: VirtualTime
  readonly #line: SharedLine
  readonly #stopAt: number
  #window = INITIAL_WINDOW
  #slowStartUntil = Infinity
  #windowMax = 0
  /** Right after the last decrease: cwnd_epoch. */
  #window0 = 0
  #estimate = 0
  #epochAt: number | undefined
  #inflight = 0
  #roundTrip = 100
  #recoverBefore = -Infinity
  #delivered = 0

  constructor(time: VirtualTime, line: SharedLine, { startAt = millis(0), stopAt = millis(Infinity) }: { readonly startAt?: Millis; readonly stopAt?: Millis } = {}) {
    this.#time = time
    this.#line = line
    this.#stopAt = stopAt
    time.at(startAt, () => this.#fill())
  }

  /** Acknowledged so far. */
  get deliveredBytes(): Bytes {
    return bytes(this.#delivered)
  }

  #fill(): void {
    const { now } = this.#time
    if (now >= this.#stopAt) return
    // No bursts longer than the initial window.
    for (let burst = 0; burst < INITIAL_WINDOW && this.#inflight < Math.floor(this.#window); burst++) {
      this.#inflight++
      const arrivedAt = this.#line.send(SEGMENT)
      if (arrivedAt === Infinity) this.#time.after(millis(this.#roundTrip), () => this.#lose(now))
      else this.#time.at(arrivedAt, () => this.#acknowledge(now))
    }
  }

  #acknowledge(sentAt: Millis): void {
    // Acknowledgements are cumulative: one that is lost is made up for by the next.
    const backAt = this.#line.reply(ACK)
    this.#time.at(backAt === Infinity ? millis(this.#time.now + this.#roundTrip / 2) : backAt, () => {
      const { now } = this.#time
      this.#roundTrip += (now - sentAt - this.#roundTrip) / 8
      this.#inflight--
      this.#delivered += SEGMENT
      this.#open(now)
      this.#fill()
    })
  }

  #open(now: Millis): void {
    if (this.#window < this.#slowStartUntil) {
      this.#window++
      return
    }
    this.#epochAt ??= now
    const k = Math.cbrt(Math.max(0, this.#windowMax - this.#window0) / C)
    const elapsed = (now - this.#epochAt) / 1000
    const target = C * (elapsed + this.#roundTrip / 1000 - k) ** 3 + this.#windowMax
    this.#estimate += (this.#estimate < this.#windowMax ? (3 * (1 - BETA)) / (1 + BETA) : 1) / this.#window
    const wanted = Math.min(1.5 * this.#window, Math.max(this.#window, target))
    this.#window = Math.max(this.#window + (wanted - this.#window) / this.#window, this.#estimate)
  }

  #lose(sentAt: Millis): void {
    this.#inflight--
    if (sentAt >= this.#recoverBefore) {
      this.#windowMax = this.#window < this.#windowMax ? (this.#window * (1 + BETA)) / 2 : this.#window
      this.#window = Math.max(2, this.#window * BETA)
      this.#window0 = this.#window
      this.#slowStartUntil = this.#window
      this.#estimate = this.#window
      this.#epochAt = undefined
      this.#recoverBefore = this.#time.now
    }
    this.#fill()
  }
}
