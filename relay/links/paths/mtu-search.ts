import { bytes, millis } from '../../wire/units.ts'
import type { Bytes, Millis } from '../../wire/units.ts'

/**
 * `base`: the base size is not confirmed. `search`: larger sizes are being tried. `search_complete`: nothing larger
 * passes, until the raise timer says to look again. `error`: not even the base size passes.
 *
 * @see RFC 8899 section 5.2
 */
export type MtuSearchState = 'base' | 'search' | 'search_complete' | 'error'

/** Sizes that common lines and tunnels leave: IPv6's minimum, GRE and WireGuard, PPPoE, Ethernet; the ceiling joins them. */
const COMMON_SIZES = [1280, 1400, 1420, 1432, 1452, 1472, 1492, 1500] as const
/** MAX_PROBES. @see RFC 8899 section 5.1.2 */
const MAX_PROBES = 3
/** PROBE_TIMER "MUST NOT be smaller than 1 second". @see RFC 8899 section 5.1.1 */
const MIN_PROBE_TIMEOUT = millis(1000)
/** PMTU_RAISE_TIMER. @see RFC 8899 section 5.1.1 */
const RAISE_AFTER = millis(600_000)
/** How often the base size is tried again while it does not pass. */
const ERROR_RETRY = millis(15_000)

/** How {@link MtuSearch} searches. All sizes are of whole IP packets. */
export interface MtuSearchOptions {
  /** What is taken to pass before anything was tried. 1200 without it. */
  readonly base?: Bytes
  /** The largest size to try: the interface's MTU. 1500 without it. */
  readonly ceiling?: Bytes
  /** After this a probe counts as lost: longer than the longest round trip, and no less than a second. 1 s without it. */
  readonly probeTimeout?: Millis
  /** It stops when it knows the size to within so many bytes. 16 without it. */
  readonly resolution?: Bytes
}

/**
 * Finds the largest IP packet that a path carries. The caller sends each probe padded to the size it is given, with
 * fragmentation forbidden, and reports its acknowledgement; probes are apart from data and their loss says nothing
 * of congestion (RFC 8899 section 4.1). One probe is under way at a time.
 *
 * It tries the ceiling first, then the common size in the middle of what is open, then halves the rest.
 *
 * Does no I/O and reads no clock.
 *
 * @see RFC 8899 section 5
 */
export class MtuSearch {
  readonly #base: Bytes
  readonly #ceiling: Bytes
  readonly #probeTimeout: Millis
  readonly #resolution: Bytes
  /** Ascending, above the base and up to the ceiling. */
  readonly #candidates: readonly number[]
  #state: MtuSearchState = 'base'
  /** The largest size that passed, or the base. */
  #passes: Bytes
  /** The smallest size that does not pass; one more than the ceiling while none is known. */
  #fails: number
  /** What an acknowledgement may speak of: what was tried since the search began or a black hole was met. */
  readonly #tried = new Set<number>()
  #probe: Bytes | undefined
  #probeCount = 0
  /** When the probe under way counts as lost, or when to look again; undefined to go on at once. */
  #waitUntil: Millis | undefined

  constructor(options: MtuSearchOptions = {}) {
    this.#base = options.base ?? bytes(1200)
    this.#ceiling = options.ceiling ?? bytes(1500)
    this.#probeTimeout = millis(Math.max(MIN_PROBE_TIMEOUT, options.probeTimeout ?? MIN_PROBE_TIMEOUT))
    this.#resolution = options.resolution ?? bytes(16)
    if (!(this.#base > 0 && this.#base <= this.#ceiling && this.#resolution >= 1)) throw new Error('an MTU search needs 0 < base <= ceiling and a resolution')
    this.#candidates = [...new Set([...COMMON_SIZES, this.#ceiling])].filter(size => size > this.#base && size <= this.#ceiling).sort((a, b) => a - b)
    this.#passes = this.#base
    this.#fails = this.#ceiling + 1
  }

  get state(): MtuSearchState {
    return this.#state
  }

  /** PLPMTU: the largest IP packet to send data in. In `error` even this one does not pass. */
  get mtu(): Bytes {
    return this.#passes
  }

  /** What to send now, and when to ask again at the latest: undefined when nothing is left to be found. */
  step(now: Millis): { readonly probe: Bytes | undefined; readonly wakeAt: Millis | undefined } {
    if (this.#waitUntil !== undefined && now < this.#waitUntil) return { probe: undefined, wakeAt: this.#waitUntil }
    this.#expire()
    this.#probe ??= this.#next()
    if (this.#probe === undefined) return this.#complete(now)
    this.#probeCount++
    this.#tried.add(this.#probe)
    this.#waitUntil = millis(now + (this.#state === 'error' ? ERROR_RETRY : this.#probeTimeout))
    return { probe: this.#probe, wakeAt: this.#waitUntil }
  }

  /** A probe of this size was acknowledged, however late. What was never tried is not believed. Call {@link step} next. */
  acknowledged(size: Bytes, _now: Millis): void {
    if (!this.#tried.has(size)) return
    if (this.#state === 'base' || this.#state === 'error') this.#state = 'search'
    if (size >= this.#fails) this.#fails = this.#ceiling + 1
    if (size > this.#passes) this.#passes = size
    // A late answer to a larger probe makes the one under way pointless, and a finished search unfinished.
    if (this.#state === 'search_complete' && this.#next() !== undefined) this.#state = 'search'
    else if (this.#probe === undefined || size < this.#probe) return
    this.#begin()
  }

  /**
   * Data of the found size no longer arrives: falls back to the base at once and searches anew.
   * What was tried before is no longer answered for. @see RFC 8899 section 4.3
   */
  blackHole(_now: Millis): void {
    this.#state = 'base'
    this.#passes = this.#base
    this.#fails = this.#ceiling + 1
    this.#tried.clear()
    this.#begin()
  }

  #begin(): void {
    this.#probe = undefined
    this.#probeCount = 0
    this.#waitUntil = undefined
  }

  /** The time that was waited for is over. */
  #expire(): void {
    this.#waitUntil = undefined
    if (this.#state === 'search_complete') {
      // PMTU_RAISE_TIMER: what did not pass may pass by now.
      this.#state = 'search'
      this.#fails = this.#ceiling + 1
    } else if (this.#probeCount >= MAX_PROBES && this.#state !== 'error') {
      if (this.#state === 'base') this.#state = 'error'
      else if (this.#probe !== undefined) this.#fails = this.#probe
      this.#begin()
    }
  }

  #complete(now: Millis): { readonly probe: undefined; readonly wakeAt: Millis | undefined } {
    this.#state = 'search_complete'
    this.#begin()
    if (this.#passes < this.#ceiling) this.#waitUntil = millis(now + RAISE_AFTER)
    return { probe: undefined, wakeAt: this.#waitUntil }
  }

  /** The next size to try; undefined when the search is done. */
  #next(): Bytes | undefined {
    if (this.#state === 'base' || this.#state === 'error') return this.#base
    if (this.#passes === this.#ceiling) return undefined
    if (this.#fails > this.#ceiling) return this.#ceiling
    const open = this.#candidates.filter(size => size > this.#passes && size < this.#fails)
    const middle = open[Math.floor(open.length / 2)]
    if (middle !== undefined) return bytes(middle)
    if (this.#fails - this.#passes <= this.#resolution) return undefined
    return bytes(Math.floor((this.#passes + this.#fails) / 2))
  }
}
