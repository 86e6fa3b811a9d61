/** Until the path is known, its delays are taken for restless, in milliseconds. */
const FIRST_NOISE = 1.5
const FIRST_DEVIATION = 4

/**
 * How a path's delays behave by themselves: where they usually are, how far from there they wander, and how much they
 * bend. A queue grows and falls along slopes; what bends from one report to the next is the path's own. Does no I/O and
 * reads no clock. All in milliseconds.
 */
export class UsualDelay {
  #mean = NaN
  #deviation = FIRST_DEVIATION
  #noise = FIRST_NOISE
  #last = NaN
  #slope = NaN

  /** Half the mean change of slope between reports. */
  get noise(): number {
    return this.#noise
  }

  /** Whether delays wander so much that a single one says little. */
  get isRestless(): boolean {
    return this.#noise >= 1
  }

  /** Mean distance from the mean. */
  get deviation(): number {
    return this.#deviation
  }

  /** Whether the last delay is longer than what wanders by itself. */
  get isExceeded(): boolean {
    return this.#last > this.#mean + Math.max(6, 5 * this.#deviation)
  }

  /** Takes the shortest delay of a report. @param elapsed - Since the one before. */
  note(delay: number, elapsed: number): void {
    if (Number.isNaN(this.#mean)) this.#mean = this.#last = delay
    const slope = delay - this.#last
    if (!Number.isNaN(this.#slope)) {
      const bend = Math.min(3 * this.#noise + 1, Math.abs(slope - this.#slope) / 2)
      this.#noise += (bend - this.#noise) * (1 - Math.exp(-elapsed / 1500))
    }
    this.#last = delay
    this.#slope = slope
    // A queue that comes and goes is far from the mean, too, but does not bend.
    const deviation = Math.min(2.5 * this.#noise + 1, Math.abs(delay - this.#mean))
    this.#deviation += (deviation - this.#deviation) * (1 - Math.exp(-elapsed / 2000))
    this.#mean += (delay - this.#mean) * (1 - Math.exp(-elapsed / 1000))
  }
}
