import { bytes, millis } from '../../relay/wire/units.ts'
import { RateLimit } from './rate-limit.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { ChunkCarrier } from '../../relay/slides/transfer/transfer.ts'
import type { Sha256, SlideId } from '../../relay/wire/ids.ts'
import type { BitsPerSecond } from '../../relay/wire/units.ts'

/** A carrier that hands chunks to another one no faster than a rate. */
export class LimitedCarrier implements ChunkCarrier {
  readonly #carrier: ChunkCarrier
  readonly #limit: RateLimit
  readonly #clock: Clock

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

  async put(slideId: SlideId, sha256: Sha256, body: Buffer, signal: AbortSignal): Promise<'stored' | 'known'> {
    const now = this.#clock.now()
    const leaveAt = this.#limit.reserve(bytes(body.length), now)
    if (leaveAt > now) await this.#clock.sleep(millis(leaveAt - now), signal)
    return this.#carrier.put(slideId, sha256, body, signal)
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#carrier[Symbol.asyncDispose]()
  }
}
