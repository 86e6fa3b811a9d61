import { FINAL_ACCESS_FAULTS, RelayFault, toFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { ChunkCarrier } from '../../relay/slides/transfer/transfer.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { Sha256, SlideId } from '../../relay/wire/ids.ts'

/** What {@link LinkOrHttps} chooses between. */
export interface LinkOrHttpsOptions {
  /** @throws {RelayFault} `unavailable` or such where no link comes up; what HTTPS would meet as well: `invitation_refused`, `invitation_expired`, `wrong_role`. */
  readonly openLink: (signal: AbortSignal) => Promise<ChunkCarrier>
  /** Owned by this carrier. */
  readonly https: ChunkCarrier
  readonly clock: Clock
  readonly onFallback: (fault: RelayFault) => void
}

const NOT_ADMITTED: ReadonlySet<FaultCode> = new Set(FINAL_ACCESS_FAULTS)
/** After no link came up, so long passes before it is tried again. */
const LINK_INTERVAL = millis(60_000)

/** Carries chunks by a link, which is opened with the first chunk and again when it is lost; by HTTPS where none comes up. */
export class LinkOrHttps implements ChunkCarrier {
  readonly #options: LinkOrHttpsOptions
  readonly #stop = new AbortController()
  #link: ChunkCarrier | undefined
  #opening: Promise<ChunkCarrier> | undefined
  #triedAt = millis(-Infinity)

  constructor(options: LinkOrHttpsOptions) {
    this.#options = options
  }

  get kind(): ChunkCarrier['kind'] {
    return this.#link === undefined ? 'https' : 'link'
  }

  get window(): number {
    return (this.#link ?? this.#options.https).window
  }

  /** Brings up the link; that it does not come up is told to the first chunk. */
  warm(): void {
    this.#choose(this.#stop.signal).catch(() => undefined)
  }

  put(slideId: SlideId, sha256: Sha256, body: Buffer, signal: AbortSignal, isUrgent = false): Promise<'stored' | 'known'> {
    return this.#carry(carrier => carrier.put(slideId, sha256, body, signal, isUrgent), signal)
  }

  putSquare(slideId: SlideId, message: Buffer, signal: AbortSignal): Promise<void> {
    return this.#carry(carrier => carrier.putSquare(slideId, message, signal), signal)
  }

  async #carry<Outcome>(put: (carrier: ChunkCarrier) => Promise<Outcome>, signal: AbortSignal): Promise<Outcome> {
    const carrier = await this.#choose(signal)
    try {
      return await put(carrier)
    } catch (error) {
      // A chunk that got no answer says nothing of the others; a link that is gone fails all of them.
      if (carrier === this.#link && toFault(error).code === 'unavailable') {
        this.#link = undefined
        await carrier[Symbol.asyncDispose]()
      }
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new RelayFault('unavailable', 'closed by this side'))
    await this.#opening?.catch(() => undefined)
    await this.#link?.[Symbol.asyncDispose]()
    await this.#options.https[Symbol.asyncDispose]()
  }

  async #choose(signal: AbortSignal): Promise<ChunkCarrier> {
    signal.throwIfAborted()
    const { clock, https } = this.#options
    if (this.#link !== undefined) return this.#link
    if (this.#opening === undefined && clock.now() - this.#triedAt < LINK_INTERVAL) return https
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined))
    const aborted = Promise.withResolvers<never>()
    const abort = (): void => aborted.reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    try {
      return await Promise.race([this.#opening, aborted.promise])
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  async #open(): Promise<ChunkCarrier> {
    const { clock, https, onFallback, openLink } = this.#options
    try {
      this.#link = await openLink(this.#stop.signal)
      return this.#link
    } catch (error) {
      const fault = toFault(error)
      if (NOT_ADMITTED.has(fault.code) || this.#stop.signal.aborted) throw error
      this.#triedAt = clock.now()
      onFallback(fault)
      return https
    }
  }
}
