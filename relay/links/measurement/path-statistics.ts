import { bitsPerSecond, bytes, millis } from '../../wire/units.ts'
import { DelayVariation } from './delay-variation.ts'
import { LossWindow } from './loss-window.ts'
import { SlidingSum } from './sliding-sum.ts'
import type { Bytes, Millis } from '../../wire/units.ts'
import type { PathGauges, PathTotals } from './link-snapshot.ts'

const THROUGHPUT_SLOT = millis(100)
const THROUGHPUT_SLOTS = 10
const LOSS_SLOT = millis(500)
const LOSS_SLOTS = 20

/**
 * What the receiving end of one path counts and measures. Does no I/O, reads no clock and allocates nothing per datagram.
 * Give it every authentic datagram, repeated ones too.
 */
export class PathStatistics {
  readonly #losses = new LossWindow()
  readonly #delays = new DelayVariation()
  readonly #received = new SlidingSum(THROUGHPUT_SLOT, THROUGHPUT_SLOTS)
  readonly #lost = new SlidingSum(LOSS_SLOT, LOSS_SLOTS)
  readonly #settled = new SlidingSum(LOSS_SLOT, LOSS_SLOTS)
  #packets = 0
  #bytes = 0
  #lostBefore = 0
  #settledBefore = 0

  /**
   * Takes one datagram.
   *
   * @param packetNumber - One more than that of the datagram sent before it on this path; below 2^48.
   * @param size - With IP and UDP headers.
   * @param sentAt - On the far end's clock, whose offset is unknown. Not a number: the delay is not measured.
   * @param arrivedAt - On our clock.
   */
  received(packetNumber: number, size: Bytes, sentAt: Millis, arrivedAt: Millis): void {
    this.#packets++
    this.#bytes += size
    this.#received.add(size, arrivedAt)
    const arrival = this.#losses.arrive(packetNumber, arrivedAt)
    this.#follow(arrivedAt)
    const transit = arrivedAt - sentAt
    if (arrival === 'fresh' && Number.isFinite(transit)) this.#delays.add(transit, arrivedAt)
  }

  /** Totals so far. What went missing less than about 200 ms ago may still come, and does not count yet. */
  totals(now: Millis): PathTotals {
    this.#losses.step(now)
    this.#follow(now)
    const losses = this.#losses
    return {
      packets: this.#packets,
      bytes: bytes(this.#bytes),
      lostPackets: losses.lost,
      lossBursts: losses.bursts,
      duplicatePackets: losses.duplicates,
      reorderedPackets: losses.reordered,
      burstsByLength: losses.burstsByLength,
      gapsByLength: losses.gapsByLength,
    }
  }

  /** What is true now. Throughput covers the last ten full tenths of a second, loss the last twenty full half seconds. */
  gauges(now: Millis): PathGauges {
    this.#losses.step(now)
    this.#follow(now)
    const settled = this.#settled.sum(now)
    return {
      jitter: this.#delays.jitter,
      delayVariation: this.#delays.percentiles(now),
      lossRatio: settled > 0 ? this.#lost.sum(now) / settled : 0,
      throughput: bitsPerSecond(this.#received.sum(now) * 8),
    }
  }

  /** Enters what became final since the last call into the windows. */
  #follow(now: Millis): void {
    const { settled, lost } = this.#losses
    if (settled === this.#settledBefore) return
    this.#settled.add(settled - this.#settledBefore, now)
    this.#lost.add(lost - this.#lostBefore, now)
    this.#settledBefore = settled
    this.#lostBefore = lost
  }
}
