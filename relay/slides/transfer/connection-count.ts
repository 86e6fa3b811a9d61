import type { Millis } from '../../wire/units.ts'

/** Bounds of {@link ConnectionCount}. */
export interface ConnectionCountOptions {
  readonly least: number
  readonly most: number
  /** Where it begins. */
  readonly first: number
  /** The shortest time over which goodput is taken. */
  readonly interval: Millis
}

/** What any node is asked to stand. On a line of 150 ms and 1 % loss a connection carries some 3 Mbit/s, 64 carry 81 (measured with cubic). */
export const CONNECTION_LIMITS = { least: 1, most: 64, first: 4 } as const

/** Goodput has to grow by this share of what the added connections would bring if all carried alike. */
const WORTHWHILE = 0.3
/** With fewer connections, goodput may be this share of what it was. */
const AS_GOOD = 0.97
/** What is less than this share of the goodput before is a fall. */
const FALL = 0.7
/** Intervals that a count is kept for, before the next one is tried. */
const HOLD = 5

/**
 * How many connections to use at once. Doubles while that is worthwhile; then now and then tries an eighth more, or
 * less, whichever helped last, and takes back what did not help. Gives up a quarter when goodput falls. Does no I/O and
 * reads no clock.
 */
export class ConnectionCount {
  readonly #options: ConnectionCountOptions
  #count: number
  /** The count before the one that is being tried; undefined when none is. */
  #before: { readonly count: number; readonly goodput: number } | undefined
  #isStarting = true
  #isGrowing = true
  #goodput: number | undefined
  #held = 0
  #began: Millis | undefined
  #bytes = 0
  #completions = 0
  #wasIdle = false

  constructor(options: ConnectionCountOptions) {
    this.#options = options
    this.#count = Math.min(options.most, Math.max(options.least, options.first))
  }

  get count(): number {
    return this.#count
  }

  /**
   * A request was done.
   *
   * @param bytes - What it carried.
   * @param isBusy - Whether all connections were in use: what is not, says nothing about the line.
   */
  completed(bytes: number, isBusy: boolean, now: Millis): void {
    if (!isBusy) this.#wasIdle = true
    if (this.#began === undefined) {
      this.#began = now
      return
    }
    this.#bytes += bytes
    this.#completions++
    const elapsed = now - this.#began
    // Chunks come whole: with few of them in an interval, goodput would be mostly chance.
    if (elapsed < this.#options.interval || this.#completions < 2 * this.#count) return
    const goodput = this.#bytes / elapsed
    const isTelling = !this.#wasIdle
    this.#restart(now)
    if (isTelling) this.#decide(goodput)
  }

  /** Requests fail because the line is gone: what was measured on it is not worth keeping. */
  lost(): void {
    this.#before = undefined
    this.#goodput = undefined
    this.#began = undefined
    this.#held = 0
    this.#bytes = 0
    this.#completions = 0
  }

  #restart(now: Millis): void {
    this.#began = now
    this.#bytes = 0
    this.#completions = 0
    this.#wasIdle = false
  }

  #decide(goodput: number): void {
    const [before, known] = [this.#before, this.#goodput]
    this.#before = undefined
    this.#goodput = goodput
    if (before !== undefined) {
      const expected = before.goodput * (this.#count / before.count - 1)
      const isBetter = this.#count > before.count ? goodput - before.goodput >= WORTHWHILE * expected : goodput >= AS_GOOD * before.goodput
      if (isBetter) this.#try(goodput)
      else this.#turnBack(before.count)
      return
    }
    if (known !== undefined && goodput < FALL * known) {
      this.#turnBack(this.#count - Math.ceil(this.#count / 4))
      return
    }
    if (this.#isStarting || ++this.#held >= HOLD) this.#try(goodput)
  }

  /** Another count, in the direction that was better last. */
  #try(goodput: number): void {
    this.#held = 0
    const step = this.#isStarting ? this.#count : Math.ceil(this.#count / 8)
    const next = Math.max(this.#options.least, Math.min(this.#options.most, this.#isGrowing ? this.#count + step : this.#count - step))
    if (next === this.#count) {
      this.#isStarting = false
      this.#isGrowing = !this.#isGrowing
      return
    }
    this.#before = { count: this.#count, goodput }
    this.#count = next
  }

  #turnBack(count: number): void {
    this.#isStarting = false
    this.#isGrowing = !this.#isGrowing
    this.#held = 0
    this.#goodput = undefined
    this.#count = Math.max(this.#options.least, count)
  }
}
