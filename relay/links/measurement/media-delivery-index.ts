import { millis } from '../../wire/units.ts'
import type { Bytes, Millis } from '../../wire/units.ts'

/** The most corners that either hull keeps. Arrivals of a second rarely need 100. */
const CORNERS = 1024

/**
 * Media Delivery Index of a stream: delay factor and media loss rate. Does no I/O, reads no clock and allocates nothing
 * per packet.
 *
 * RFC 4445 section 3.1 drains a virtual buffer at the nominal rate of the media. Ours has no nominal rate: the buffer is
 * drained at the rate measured over the same interval, so that the delay factor is what the unevenness of arrival costs
 * in buffering, that of the encoder's own frames included. That rate is known only at the end, when the extremes of the
 * buffer for it are read off the convex hulls of what had arrived when.
 *
 * @see RFC 4445
 */
export class MediaDeliveryIndex {
  /** What had arrived just after each packet, and just before. */
  readonly #after = new Hull(CORNERS, 1)
  readonly #before = new Hull(CORNERS, -1)
  /** When the last packet before this interval arrived: it begins just after that. */
  #beganAt: Millis | undefined
  #lastAt: Millis | undefined
  #bytes = 0
  #packets = 0
  #lost = 0
  #takenAt: Millis | undefined

  /** Takes a packet of the stream, whether it came at first, was sent again, or was recovered. */
  received(size: Bytes, now: Millis): void {
    this.#lastAt = Math.max(now, this.#lastAt ?? now) as Millis
    if (this.#beganAt === undefined) {
      this.#beganAt = this.#lastAt
      this.#takenAt ??= now
      return
    }
    const at = this.#lastAt - this.#beganAt
    this.#before.add(at, this.#bytes)
    this.#bytes += size
    this.#after.add(at, this.#bytes)
    this.#packets++
  }

  /** Counts packets that were given up. */
  lost(count: number): void {
    this.#lost += count
  }

  /**
   * Ends an interval; call it once per second.
   *
   * @returns The delay factor, and packets lost per second; undefined if no stream flowed. Where all of it was lost,
   *   the buffer drained all the time, whatever the rate: the delay factor is the length of the interval.
   */
  take(now: Millis): { readonly delayFactor: Millis; readonly mediaLossRate: number } | undefined {
    const elapsed = now - (this.#takenAt ?? now)
    const mediaLossRate = elapsed > 0 ? (this.#lost * 1000) / elapsed : this.#lost
    const duration = (this.#lastAt ?? 0) - (this.#beganAt ?? 0)
    const isFlowing = this.#packets > 0 && duration > 0
    const delayFactor = isFlowing ? this.#delayFactor(this.#bytes / duration) : millis(Math.max(0, elapsed))
    const index = isFlowing || this.#lost > 0 ? { delayFactor, mediaLossRate } : undefined
    // A stream that paused begins anew: the pause was wanted, and is no delay.
    this.#beganAt = this.#packets > 0 ? this.#lastAt : undefined
    this.#bytes = 0
    this.#packets = 0
    this.#lost = 0
    this.#takenAt = now
    this.#after.clear()
    this.#before.clear()
    return index
  }

  #delayFactor(rate: number): Millis {
    // At the measured rate the buffer is empty at the end as it was at the beginning, so that VB(0) = 0 is among the values.
    return millis((this.#after.extreme(rate) - this.#before.extreme(rate)) / rate)
  }
}

/** The upper (`sign` 1) or lower (`sign` -1) convex hull of points whose abscissa never shrinks: Andrew's monotone chain. */
class Hull {
  readonly #xs: Float64Array
  readonly #ys: Float64Array
  readonly #sign: 1 | -1
  #length = 0

  constructor(capacity: number, sign: 1 | -1) {
    this.#xs = new Float64Array(capacity)
    this.#ys = new Float64Array(capacity)
    this.#sign = sign
  }

  add(x: number, y: number): void {
    while (this.#length >= 2 && this.#isInside(x, y)) this.#length--
    // A full hull gives up its last corner: the error is what one of a thousand corners stands out.
    if (this.#length === this.#xs.length) this.#length--
    this.#xs[this.#length] = x
    this.#ys[this.#length] = y
    this.#length++
  }

  /** The largest (upper hull) or smallest (lower) `y - slope * x`. */
  extreme(slope: number): number {
    let extreme = -Infinity
    for (let at = 0; at < this.#length; at++) extreme = Math.max(extreme, this.#sign * ((this.#ys[at] ?? 0) - slope * (this.#xs[at] ?? 0)))
    return this.#sign * extreme
  }

  clear(): void {
    this.#length = 0
  }

  /** Whether the last corner lies within the chord from the one before it to a new point. */
  #isInside(x: number, y: number): boolean {
    const x0 = this.#xs[this.#length - 2] ?? 0
    const y0 = this.#ys[this.#length - 2] ?? 0
    const x1 = this.#xs[this.#length - 1] ?? 0
    const y1 = this.#ys[this.#length - 1] ?? 0
    return this.#sign * ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) >= 0
  }
}
