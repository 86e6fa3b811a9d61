/** Lets so many at once, the others in the order in which they came. Whoever takes turns bounds how many wait. */
export class Turns {
  readonly #most: () => number
  readonly #waiting = new Set<() => void>()
  #taken = 0

  /** @param most - How many at once, at this moment; when it grows, {@link admit} is to be called. */
  constructor(most: () => number) {
    this.#most = most
  }

  /** Resolves when it is the caller's turn, which is to be given back. @throws the signal's reason; then there is nothing to give back. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    const enter = (): void => resolve(undefined)
    const leave = (): void => {
      // Whoever was admitted already has a turn, and goes on with it.
      if (this.#waiting.delete(enter)) reject(signal.reason as Error)
    }
    this.#waiting.add(enter)
    signal.addEventListener('abort', leave, { once: true })
    this.admit()
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  give(): void {
    this.#taken--
    this.admit()
  }

  /** Lets in whom there is room for. */
  admit(): void {
    for (const enter of this.#waiting) {
      if (this.#taken >= this.#most()) return
      this.#waiting.delete(enter)
      this.#taken++
      enter()
    }
  }
}
