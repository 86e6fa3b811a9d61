/** Reads bits, the most significant first. Past the end it reads zeros, and says so. */
export class BitReader {
  readonly #bytes: Uint8Array
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Whether more was read than there is. */
  get isExhausted(): boolean {
    return this.#position > this.#bytes.length * 8
  }

  /** u(n). @param count - At most 32. */
  bits(count: number): number {
    let value = 0
    for (let bit = 0; bit < count; bit++) {
      const byte = this.#bytes[this.#position >> 3] ?? 0
      value = value * 2 + ((byte >> (7 - (this.#position & 7))) & 1)
      this.#position++
    }
    return value
  }

  flag(): boolean {
    return this.bits(1) === 1
  }

  /** ue(v): an unsigned Exp-Golomb code; at most 2^32 - 2. @see H.264 section 9.1 */
  unsigned(): number {
    let zeros = 0
    while (zeros < 32 && !this.isExhausted && !this.flag()) zeros++
    return 2 ** zeros - 1 + this.bits(zeros)
  }

  /** se(v). @see H.264 section 9.1.1 */
  signed(): number {
    const code = this.unsigned()
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2
  }
}
