import { bytes, millis } from '../../wire/units.ts'
import type { Bytes, Millis } from '../../wire/units.ts'

/** Up to this size a datagram says nothing of the MTU: what every path is taken to carry. */
const BASE = bytes(1200)
/** What is larger is counted by size, in steps of so many bytes. */
const STEP = 32
const SIZES = 10
/** So many of a size in a row, over two round trips and this… */
const ENOUGH = 12
const PATIENCE = millis(250)
/** …while the last answer to a probe is no older than this. */
const PROVEN = millis(100)

/**
 * Notices that a path swallows large datagrams while it carries small ones: its MTU became smaller, and nobody said so.
 * Does no I/O and reads no clock.
 *
 * Large ones of which none is acknowledged are counted while probes are answered. In an outage both stop, and random
 * loss takes both: only a black hole looks at the size.
 *
 * @see RFC 8899 section 4.3
 */
export class BlackHole {
  /** By size: sent since one as large or larger was acknowledged. */
  readonly #unacknowledged = new Uint32Array(SIZES)
  /** When the first and the last of those left. */
  readonly #since = new Float64Array(SIZES)
  readonly #last = new Float64Array(SIZES)
  #answeredAt = -Infinity

  /**
   * A datagram leaves.
   *
   * @param mtu - Up to which the path is taken to carry: what is larger proves nothing.
   * @returns Whether such datagrams vanish. Then nothing is counted any more.
   */
  sent(size: number, mtu: Bytes, roundTrip: Millis, now: Millis): boolean {
    if (size <= BASE || size > mtu) return false
    if (now - this.#answeredAt > PROVEN + roundTrip) {
      this.#unacknowledged.fill(0)
      return false
    }
    const index = indexOf(size)
    const patience = PATIENCE + 2 * roundTrip
    if (this.#unacknowledged[index] === 0 || now - (this.#last[index] ?? 0) > patience) {
      this.#unacknowledged[index] = 0
      this.#since[index] = now
    }
    const count = (this.#unacknowledged[index] ?? 0) + 1
    this.#unacknowledged[index] = count
    this.#last[index] = now
    if (count < ENOUGH || now - (this.#since[index] ?? now) < patience) return false
    this.#unacknowledged.fill(0)
    return true
  }

  /** The far end got a datagram of this size: smaller ones pass, too. */
  acknowledged(size: number): void {
    if (size <= BASE) return
    for (let index = indexOf(size); index >= 0; index--) this.#unacknowledged[index] = 0
  }

  /** A probe was answered. */
  answered(now: Millis): void {
    this.#answeredAt = now
  }
}

const indexOf = (size: number): number => Math.min(SIZES - 1, Math.floor((size - BASE - 1) / STEP))
