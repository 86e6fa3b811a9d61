/** What {@link ReplayWindow} says of a number. `stale`: too old to know, or no number of 48 bits. */
export type ReplayVerdict = 'new' | 'replayed' | 'stale'

/** The largest packet number: 48 bits. */
const MAX_NUMBER = 2 ** 48 - 1
const WORD_BITS = 32

/**
 * Refuses packet numbers that were seen already. Ask it before a packet is decrypted, tell it after the packet
 * proved authentic: a forgery must not move the window.
 *
 * The bitmap is a ring of words that never has to be shifted: moving ahead clears the words that come into use,
 * at most all of them, however far the jump.
 *
 * @see RFC 4303 section 3.4.3, RFC 6479
 */
export class ReplayWindow {
  readonly #size: number
  readonly #words: Uint32Array
  /** Number of words less 1; their number is a power of two. */
  readonly #wordMask: number
  #highest = -1

  /** @param size - How many numbers, the highest included, are told apart from stale ones; 1 to 2^20. */
  constructor(size = 4096) {
    if (!Number.isInteger(size) || size < 1 || size > 2 ** 20) throw new Error('a replay window holds 1 to 2^20 numbers')
    this.#size = size
    // One word more than the window fills, so that clearing a whole word never forgets a number inside the window.
    const words = 2 ** Math.ceil(Math.log2(Math.ceil(size / WORD_BITS) + 1))
    this.#words = new Uint32Array(words)
    this.#wordMask = words - 1
  }

  /** The highest number committed; -1 before the first. */
  get highest(): number {
    return this.#highest
  }

  /** Whether a packet is worth decrypting. */
  accepts(number: number): boolean {
    return this.judge(number) === 'new'
  }

  /** Says what a number is, and changes nothing. */
  judge(number: number): ReplayVerdict {
    if (!(number >= 0 && number <= MAX_NUMBER)) return 'stale'
    if (number > this.#highest) return 'new'
    if (number <= this.#highest - this.#size) return 'stale'
    return ((this.#words[this.#wordOf(number)] ?? 0) & bitOf(number)) === 0 ? 'new' : 'replayed'
  }

  /** Marks the number of an authentic packet as seen. @returns what the number was before; only `new` is marked. */
  commit(number: number): ReplayVerdict {
    const verdict = this.judge(number)
    if (verdict !== 'new') return verdict
    if (number > this.#highest) this.#advance(number)
    const word = this.#wordOf(number)
    this.#words[word] = (this.#words[word] ?? 0) | bitOf(number)
    return 'new'
  }

  #advance(number: number): void {
    const from = Math.floor(this.#highest / WORD_BITS)
    const ahead = Math.min(Math.floor(number / WORD_BITS) - from, this.#words.length)
    // The word count divides 2^27, so the low bits of a word's number say where it is in the ring.
    for (let step = 1; step <= ahead; step++) this.#words[(from + step) & this.#wordMask] = 0
    this.#highest = number
  }

  /** The low 32 bits of a number hold all that its place in the ring depends on. */
  #wordOf(number: number): number {
    return ((number >>> 0) >>> 5) & this.#wordMask
  }
}

const bitOf = (number: number): number => 1 << ((number >>> 0) & (WORD_BITS - 1))
