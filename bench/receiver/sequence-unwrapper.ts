const RANGE = 0x1_0000
/** Added once, so that a packet that arrives before the first one still has a positive number. */
const ORIGIN = RANGE

/** Turns the 16-bit RTP sequence numbers of one stream into numbers that never wrap. Does no I/O. */
export class SequenceUnwrapper {
  #highest: number | undefined

  /** The highest extended number so far; undefined before the first packet. */
  get highest(): number | undefined {
    return this.#highest
  }

  /**
   * @returns The extended number closest to the highest one so far.
   * @see RFC 3550 appendix A.1
   */
  unwrap(sequenceNumber: number): number {
    if (this.#highest === undefined) {
      this.#highest = ORIGIN + sequenceNumber
      return this.#highest
    }
    // Sign-extending the 16-bit difference picks the shorter way round.
    const extended = this.#highest + (((sequenceNumber - this.#highest) << 16) >> 16)
    if (extended > this.#highest) this.#highest = extended
    return extended
  }
}
