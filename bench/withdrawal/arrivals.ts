/** What came on one path, and when the last of it did. */
export class Arrivals {
  #count = 0
  #bytes = 0
  #lastAt = -Infinity

  /** Something came at this moment. */
  note(bytes = 0): void {
    this.#count++
    this.#bytes += bytes
    this.#lastAt = performance.now()
  }

  /** How often something came. */
  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  /** In milliseconds of `performance.now()`; -Infinity before anything came. */
  get lastAt(): number {
    return this.#lastAt
  }
}
