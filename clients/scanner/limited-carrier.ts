import { bytes } from '../../relay/wire/units.ts'
import { RateLimit } from './rate-limit.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { ChunkCarrier } from '../../relay/slides/transfer/transfer.ts'
import type { Sha256, SlideId } from '../../relay/wire/ids.ts'
import type { BitsPerSecond, Bytes } from '../../relay/wire/units.ts'

/** A carrier that hands chunks to another one no faster than a rate. */
export class LimitedCarrier implements ChunkCarrier {
  readonly #carrier: ChunkCarrier
  readonly #limit: RateLimit
  readonly #clock: Clock
  #turn: Promise<undefined> = Promise.resolve(undefined)

  constructor(carrier: ChunkCarrier, rate: BitsPerSecond, clock: Clock) {
    this.#carrier = carrier
    this.#limit = new RateLimit(rate)
    this.#clock = clock
  }

  get kind(): ChunkCarrier['kind'] {
    return this.#carrier.kind
  }

  get window(): number {
    return this.#carrier.window
  }

  warm(): void {
    this.#carrier.warm?.()
  }

  async put(slideId: SlideId, sha256: Sha256, body: Buffer, signal: AbortSignal, isUrgent = false): Promise<'stored' | 'known'> {
    await this.#takeTurn(bytes(body.length), signal)
    return this.#carrier.put(slideId, sha256, body, signal, isUrgent)
  }

  async putSquare(slideId: SlideId, message: Buffer, signal: AbortSignal): Promise<void> {
    await this.#takeTurn(bytes(message.length), signal)
    await this.#carrier.putSquare(slideId, message, signal)
  }

  /** One after the other: who gives up while it waits has taken nothing of the rate. */
  async #takeTurn(size: Bytes, signal: AbortSignal): Promise<void> {
    const before = this.#turn
    const mine = Promise.withResolvers<undefined>()
    this.#turn = mine.promise
    try {
      await before
      signal.throwIfAborted()
      const wait = this.#limit.wait(this.#clock.now())
      if (wait > 0) await this.#clock.sleep(wait, signal)
      this.#limit.leaves(size, this.#clock.now())
    } finally {
      mine.resolve(undefined)
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#carrier[Symbol.asyncDispose]()
  }
}
