import { millis } from '../../wire/units.ts'
import { SlidingMinimum } from './sliding-minimum.ts'
import type { Millis } from '../../wire/units.ts'

/** Transit times that are kept. Above so many per second every second one is taken, then every third, and so on. */
const SAMPLES = 2048
const WINDOW = millis(1000)
const SLOT = millis(1000)
const MEMORY_SLOTS = 30
/** Transit times further apart than this mean that a clock was set. */
const CLOCK_STEP = millis(10_000)

/**
 * One-way delay over the shortest of the last half minute, and interarrival jitter. The clocks at both ends need not
 * agree. Does no I/O, reads no clock and allocates nothing per datagram.
 *
 * @see RFC 3393, RFC 5481 section 4.2 (PDV), RFC 3550 section 6.4.1 and appendix A.8
 */
export class DelayVariation {
  readonly #transits = new Float64Array(SAMPLES)
  readonly #times = new Float64Array(SAMPLES).fill(-Infinity)
  readonly #scratch = new Float64Array(SAMPLES)
  readonly #shortest = new SlidingMinimum(SLOT, MEMORY_SLOTS)
  #taken = 0
  #arrivals = 0
  #stride = 1
  #secondBegan = -Infinity
  #skipped = 0
  #last: number | undefined
  #jitter = 0

  /** Interarrival jitter. */
  get jitter(): Millis {
    return millis(this.#jitter)
  }

  /** Takes one datagram's transit time: arrival on our clock less sending on the far end's. */
  add(transit: number, now: Millis): void {
    const difference = this.#last === undefined ? 0 : Math.abs(transit - this.#last)
    this.#last = transit
    if (difference > CLOCK_STEP) this.#forget()
    else this.#jitter += (difference - this.#jitter) / 16
    this.#shortest.add(transit, now)
    this.#sample(transit, now)
  }

  /** Median and 95th percentile of the last second, by nearest rank; 0 if nothing arrived. */
  percentiles(now: Millis): { readonly p50: Millis; readonly p95: Millis } {
    let count = 0
    for (let at = 0; at < SAMPLES; at++) {
      const age = now - (this.#times[at] ?? 0)
      if (age < WINDOW && age >= 0) this.#scratch[count++] = this.#transits[at] ?? 0
    }
    if (count === 0) return { p50: millis(0), p95: millis(0) }
    const sorted = this.#scratch.subarray(0, count).sort()
    const shortest = this.#shortest.minimum(now)
    const rank = (part: number): Millis => millis(Math.max(0, (sorted[Math.ceil(part * count) - 1] ?? 0) - shortest))
    return { p50: rank(0.5), p95: rank(0.95) }
  }

  #sample(transit: number, now: Millis): void {
    this.#arrivals++
    if (now - this.#secondBegan >= WINDOW || now < this.#secondBegan) {
      this.#stride = Math.ceil(this.#arrivals / SAMPLES)
      this.#arrivals = 0
      this.#secondBegan = now
    }
    if (++this.#skipped < this.#stride) return
    this.#skipped = 0
    const at = this.#taken++ % SAMPLES
    this.#transits[at] = transit
    this.#times[at] = now
  }

  #forget(): void {
    this.#times.fill(-Infinity)
    this.#shortest.clear()
  }
}
