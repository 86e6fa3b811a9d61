import { RelayFault } from '../../wire/fault.ts'
import type { Bytes } from '../../wire/units.ts'

/** Memory that may be held at once for what arrives. What does not fit is refused: the sender tries again. */
export class ByteBudget {
  readonly #most: Bytes
  #held = 0

  constructor(most: Bytes) {
    this.#most = most
  }

  /** In bytes. */
  get held(): number {
    return this.#held
  }

  /** @returns Gives the memory back; may be called more than once. @throws {RelayFault} `overloaded`. */
  take(length: number): () => void {
    if (this.#held + length > this.#most) throw new RelayFault('overloaded', 'too many chunks are arriving at once')
    this.#held += length
    let isHeld = true
    return () => {
      if (isHeld) this.#held -= length
      isHeld = false
    }
  }
}
