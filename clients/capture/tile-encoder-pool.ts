import { SparePolicy } from './spare-policy.ts'
import { mouldKey, TileEncoder } from './tile-encoder.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Rendition } from '../../relay/wire/pyramid.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { SourceEnd } from './encoded-frame.ts'
import type { EncoderMould, TileEncoderContext } from './tile-encoder.ts'

/** What {@link TileEncoderPool} needs. */
export interface TileEncoderPoolOptions {
  /** The mould of every rendition. */
  readonly moulds: readonly EncoderMould[]
  /** How many spare encoders are kept of each mould, but never more than there are renditions of it. */
  readonly spares: number
  readonly context: TileEncoderContext
  readonly clock: Clock
  /** Called when an encoder of this pool, taken or waiting, ends without being asked to; returns how long to start no spare. */
  readonly onDeath: (encoder: TileEncoder, end: SourceEnd) => Millis
}

/** Encoders that are started and wait for a rendition. The only place where tile encoders are started, and ended. */
export class TileEncoderPool implements AsyncDisposable {
  readonly #options: TileEncoderPoolOptions
  readonly #moulds = new Map<string, EncoderMould>()
  readonly #policy: SparePolicy
  readonly #idle = new Map<string, TileEncoder[]>()
  /** Everything that runs, also what is being ended. */
  readonly #alive = new Set<TileEncoder>()
  readonly #dying = new Set<Promise<void>>()
  #started = 0
  #timer: NodeJS.Timeout | undefined
  #isClosing = false

  private constructor(options: TileEncoderPoolOptions) {
    this.#options = options
    const wanted = new Map<string, number>()
    for (const mould of options.moulds) {
      const key = mouldKey(mould)
      this.#moulds.set(key, mould)
      wanted.set(key, Math.min((wanted.get(key) ?? 0) + 1, options.spares))
    }
    this.#policy = new SparePolicy(wanted)
  }

  /** Starts filling up. */
  static open(options: TileEncoderPoolOptions): TileEncoderPool {
    const pool = new TileEncoderPool(options)
    pool.#schedule()
    return pool
  }

  /** Processes that run, waiting ones included. */
  get size(): number {
    return this.#alive.size
  }

  /** An encoder for a rendition: one that waits, else one that is started now. */
  take(rendition: Rendition, mould: EncoderMould): TileEncoder {
    const encoder = this.#idle.get(mouldKey(mould))?.shift() ?? this.#start(mould)
    encoder.assign(rendition)
    this.#policy.taken(this.#options.clock.now())
    this.#schedule()
    return encoder
  }

  /** Ends an encoder at once. */
  end(encoder: TileEncoder): void {
    if (!this.#alive.delete(encoder)) return
    const dying = encoder[Symbol.asyncDispose]().finally(() => this.#dying.delete(dying))
    this.#dying.add(dying)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#timer)
    for (const encoder of [...this.#alive]) this.end(encoder)
    await Promise.all(this.#dying)
  }

  #start(mould: EncoderMould): TileEncoder {
    const encoder = TileEncoder.start(mould, this.#options.context, this.#started++)
    this.#alive.add(encoder)
    void encoder.closed.then(end => this.#ended(encoder, end))
    return encoder
  }

  #ended(encoder: TileEncoder, end: SourceEnd): void {
    // One that was asked to end is not here any more.
    if (!this.#alive.delete(encoder) || this.#isClosing) return
    const idle = this.#idle.get(mouldKey(encoder.mould)) ?? []
    this.#idle.set(mouldKey(encoder.mould), idle.filter(other => other !== encoder))
    this.#policy.failed(this.#options.clock.now(), this.#options.onDeath(encoder, end))
    this.#schedule()
  }

  #refill(): void {
    this.#timer = undefined
    const next = this.#next()
    const mould = this.#moulds.get(next?.kind ?? '')
    const now = this.#options.clock.now()
    if (next !== undefined && mould !== undefined && next.notBefore <= now) {
      this.#idle.set(next.kind, [...(this.#idle.get(next.kind) ?? []), this.#start(mould)])
      this.#policy.started(now)
    }
    this.#schedule()
  }

  #schedule(): void {
    const next = this.#next()
    if (this.#isClosing || this.#timer !== undefined || next === undefined) return
    this.#timer = setTimeout(() => this.#refill(), Math.max(0, next.notBefore - this.#options.clock.now()))
  }

  #next() {
    return this.#policy.next(kind => this.#idle.get(kind)?.length ?? 0)
  }
}
