import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'

/** Bounds of {@link ConnectionCount}. */
export interface ConnectionCountOptions {
  readonly least: number
  readonly most: number
  /** Where it begins. */
  readonly first: number
  /** Goodput is taken over times of at least this length. */
  readonly interval: Millis
  /** After a change, so long nothing is measured: connections are made, and their first bytes only fill buffers. */
  readonly settling: Millis
}

/** What any node is asked to stand. On a line of 150 ms and 1 % loss a connection carries some 3 Mbit/s, 64 carry 81 (measured with cubic). */
export const CONNECTION_LIMITS = { least: 1, most: 64, first: 8 } as const

/** Of what added connections would bring if all carried alike, this share has to arrive. */
const WORTHWHILE = 0.3
/** In the beginning, a doubling is worthwhile that brings this many times the goodput: a step too far is taken back, one too few costs a lossy line most of its rate. */
const WORTHWHILE_AT_FIRST = 1.1
/** In the beginning, so many doublings in a row without gain, or so many readings of a fall, are needed to believe it: where losses set what connections carry, one may be chance. */
const DISAPPOINTMENTS = 2
/** With fewer connections, goodput may be this share of what it was. */
const AS_GOOD = 0.97
/** What is less than this share of the goodput before is a fall. */
const FALL = 0.7
/** Readings of a count before the next one is tried, and of one that is tried: each is partly chance. */
const HOLD = 3
const TRIAL = 2
/**
 * After the beginning, a reading takes this many requests of every connection: a system's buffers that grew to hold a
 * whole body take it at once, so on a slow line the bytes of a second are chance. One is enough to look again at what the beginning refused.
 */
const REQUESTS = 2
/** Connections in use, of those that may be: with less, the sender and not the line sets what is carried. */
const BUSY = 0.75

/**
 * How many connections to use at once. Doubles while that is worthwhile, and once more to be sure; then now and then tries an eighth more, or
 * less, whichever helped last, and takes back what did not help. Gives up a quarter when goodput falls. Goes by the
 * bytes that connections take: on a slow line a whole request takes many seconds, too many for the beginning. Does no
 * I/O and reads no clock.
 */
export class ConnectionCount {
  readonly #options: ConnectionCountOptions
  #count: number
  /** What a count that is being tried is compared with; undefined when none is. */
  #before: { readonly count: number; readonly goodput: number } | undefined
  /** Of the count in use, before the readings at hand. */
  #known: number | undefined
  /** Of the count in use, since it was chosen or last compared, in bytes per millisecond. */
  #readings: number[] = []
  /** The count that the beginning turned back from, until that was looked at again: what it was compared with may have been chance. */
  #refused: { readonly count: number; readonly goodput: number } | undefined
  #isStarting = true
  /** In the beginning: doublings without gain since the last one with. */
  #flat = 0
  #isGrowing = true
  #inUse = 0
  /** Beginning of the interval; later than the present while a change settles. Undefined before the first request. */
  #since: Millis | undefined
  /** Up to here the interval is accounted for. */
  #until = millis(0)
  #bytes = 0
  #requests = 0
  /** Time in use, summed over connections. */
  #used = 0

  constructor(options: ConnectionCountOptions) {
    this.#options = options
    this.#count = Math.min(options.most, Math.max(options.least, options.first))
  }

  get count(): number {
    return this.#count
  }

  /** A connection took on a request. */
  began(now: Millis): void {
    if (this.#since === undefined) this.#restart(now, true)
    this.#carry(0, now)
    this.#inUse++
  }

  /** A connection took bytes of a request. */
  carried(bytes: number, now: Millis): void {
    this.#carry(bytes, now)
  }

  /** A connection is done with its request, whatever came of it. */
  ended(now: Millis): void {
    this.#requests++
    this.#carry(0, now)
    this.#inUse--
  }

  /** Requests fail because the line is gone: what was measured on it is not worth keeping. */
  lost(): void {
    this.#before = undefined
    this.#known = undefined
    this.#refused = undefined
    this.#readings = []
    this.#since = undefined
  }

  #carry(bytes: number, now: Millis): void {
    if (this.#since === undefined || now < this.#since) return
    this.#bytes += bytes
    this.#used += this.#inUse * (now - this.#until)
    this.#until = now
    const elapsed = now - this.#since
    const requests = this.#isStarting ? 0 : this.#refused === undefined ? REQUESTS : 1
    if (elapsed < this.#options.interval || this.#requests < requests * this.#count) return
    const count = this.#count
    const [goodput, share] = [this.#bytes / elapsed, this.#used / (elapsed * count)]
    if (share >= BUSY) this.#decide(goodput)
    this.#restart(now, this.#count !== count)
  }

  #restart(now: Millis, isChange: boolean): void {
    this.#since = isChange ? millis(now + this.#options.settling) : now
    this.#until = this.#since
    this.#bytes = 0
    this.#requests = 0
    this.#used = 0
  }

  #decide(goodput: number): void {
    const usual = this.#before?.goodput ?? (this.#readings.length > 0 ? mean(this.#readings) : this.#known)
    this.#readings.push(goodput)
    if (this.#isStarting) this.#double(goodput)
    else if (usual !== undefined && goodput < FALL * usual * Math.min(1, this.#count / (this.#before?.count ?? this.#count))) this.#turnBack(this.#count - Math.ceil(this.#count / 4))
    else if (this.#before === undefined) {
      if (this.#refused !== undefined || this.#readings.length >= HOLD) this.#try()
    } else if (this.#readings.length >= TRIAL) this.#judge(this.#before)
  }

  /** In the beginning: the next doubling, or back to the last count that was worthwhile. */
  #double(goodput: number): void {
    const best = this.#before
    const isFall = best !== undefined && goodput < FALL * best.goodput
    const isWorthwhile = best === undefined || goodput >= WORTHWHILE_AT_FIRST * best.goodput
    if (best !== undefined && !isWorthwhile && (isFall ? this.#readings.length : ++this.#flat) >= DISAPPOINTMENTS) {
      this.#refused = { count: this.#count, goodput: mean(this.#readings) }
      this.#turnBack(best.count)
      return
    }
    if (isFall) return
    if (isWorthwhile) {
      this.#before = { count: this.#count, goodput }
      this.#flat = 0
    }
    if (this.#move(2 * this.#count)) return
    this.#isStarting = false
    // New connections carried more than they will once they have lost something.
    this.#known = undefined
  }

  #judge(before: { readonly count: number; readonly goodput: number }): void {
    const goodput = mean(this.#readings)
    const isBetter = this.#count > before.count ? goodput - before.goodput >= WORTHWHILE * broughtBy(this.#count, before) : goodput >= AS_GOOD * before.goodput
    if (isBetter) this.#try()
    else this.#turnBack(before.count)
  }

  /** Another count, in the direction that was better last. */
  #try(): void {
    const goodput = mean(this.#readings)
    const refused = this.#refused
    const step = Math.ceil(this.#count / 8)
    this.#before = { count: this.#count, goodput }
    this.#refused = undefined
    if (refused !== undefined && refused.goodput >= WORTHWHILE_AT_FIRST * goodput) {
      this.#isStarting = true
      this.#isGrowing = true
      this.#flat = 0
      this.#move(refused.count)
    } else this.#move(this.#isGrowing ? this.#count + step : this.#count - step)
  }

  /** @returns Whether there is such a count; if not, the one in use is kept, and next the other direction is tried. */
  #move(to: number): boolean {
    const next = Math.max(this.#options.least, Math.min(this.#options.most, to))
    const isChange = next !== this.#count
    if (!isChange) {
      this.#isGrowing = !this.#isGrowing
      this.#before = undefined
      this.#known = mean(this.#readings)
    }
    this.#readings = []
    this.#count = next
    return isChange
  }

  #turnBack(count: number): void {
    this.#isStarting = false
    this.#isGrowing = !this.#isGrowing
    this.#before = undefined
    this.#known = undefined
    this.#readings = []
    this.#count = Math.max(this.#options.least, count)
  }
}

/** What the connections added to those before would bring if all carried alike. */
const broughtBy = (count: number, before: { readonly count: number; readonly goodput: number }): number => before.goodput * (count / before.count - 1)

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
