import { Transform } from 'node:stream'
import type { TransformCallback } from 'node:stream'
import type { RelayFault } from '../../relay/wire/fault.ts'

/** Passes bytes on and counts them; one too many, and it fails. */
export class ByteMeter extends Transform {
  readonly #limit: number
  readonly #passed: (bytes: number) => void
  readonly #excess: () => RelayFault
  #total = 0

  /** @param limit - In bytes. @param passed - Told of each part, in bytes. @param excess - What it fails with. */
  constructor(limit: number, passed: (bytes: number) => void, excess: () => RelayFault) {
    super()
    this.#excess = excess
    this.#limit = limit
    this.#passed = passed
  }

  override _transform(part: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#total += part.length
    if (this.#total > this.#limit) { done(this.#excess()); return; }
    this.#passed(part.length)
    done(null, part)
  }
}
