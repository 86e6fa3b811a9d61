import { Backoff } from '../../wire/backoff.ts'
import { RelayFault, toFault } from '../../wire/fault.ts'
import { bytes, millis } from '../../wire/units.ts'
import { ChunkPlan } from './chunk-plan.ts'
import { isPassing } from './passing-faults.ts'
import { SquareSender } from './square-sender.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { BackoffOptions } from '../../wire/backoff.ts'
import type { FaultCode } from '../../wire/fault.ts'
import type { Bytes } from '../../wire/units.ts'
import type { PlannedChunk, TransferProgress } from './chunk-plan.ts'
import type { ChunkCarrier, PreparedLevel, PreparedSlide, SlideDoor } from './transfer.ts'

/** What a transfer is made from. */
export interface SlideSenderOptions {
  readonly slide: PreparedSlide
  readonly door: SlideDoor
  readonly carrier: ChunkCarrier
  readonly clock: Clock
  /** After every chunk and every level. */
  readonly onProgress?: (progress: TransferProgress) => void
  /** A wait began, because something that can be repeated failed. */
  readonly onFault?: (code: FaultCode) => void
  readonly retry?: BackoffOptions
  readonly coarseBytes?: Bytes
  readonly random?: () => number
}

/** Waits after failures: an outage is noticed to be over within some seconds. */
export const TRANSFER_RETRY: BackoffOptions = { first: millis(300), cap: millis(10_000) }
/** Levels that together are not longer go before what viewers want: a sixth of a second at 100 Mbit/s. */
export const COARSE_BYTES = bytes(2 * 1024 * 1024)

/** A carrier's window grows without a word; a chunk on a slow connection takes seconds to be done. */
const WINDOW_LOOK = millis(200)

/** The node may have lost what it said it had, if its disk was changed for another. */
const MAX_COMPLETIONS = 3

/**
 * Sends one slide: announces it, prepares its levels while chunks flow, follows what viewers want, and completes it.
 * The one layer that retries. To be run once; after an abort or a failure, a new sender goes on where this one was.
 */
export class SlideSender {
  readonly #options: SlideSenderOptions
  readonly #plan: ChunkPlan
  readonly #retry: BackoffOptions
  readonly #levels = new Map<number, PreparedLevel>()
  #wake = Promise.withResolvers<undefined>()
  #isRefreshing = false
  /** While there is something to send. */
  #squares: SquareSender | undefined

  constructor(options: SlideSenderOptions) {
    this.#options = options
    this.#retry = options.retry ?? TRANSFER_RETRY
    const random = options.random ?? Math.random
    this.#plan = new ChunkPlan({ levels: options.slide.structure.levels.length, coarseBytes: options.coarseBytes ?? COARSE_BYTES, retry: this.#retry, random })
  }

  /**
   * Resolves when the slide is complete at the far end.
   *
   * @throws {RelayFault} The node's final refusal, such as `grant_refused` or `quota_exceeded`; `bad_slide` when the file cannot be read. The signal's reason when it aborts.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { slide, door } = this.#options
    // The first level is read meanwhile.
    const announced = this.#persist(() => door.announce(slide, signal), signal)
    announced.catch(() => undefined)
    for (let attempt = 1; ; attempt++) {
      await this.#sendAll(announced, signal)
      const head = await slide.head()
      try {
        await this.#persist(() => door.complete(slide.structure.slideId, head, signal), signal)
        return
      } catch (error) {
        if (toFault(error).code !== 'wrong_state' || attempt >= MAX_COMPLETIONS) throw error
        await this.#refresh(signal)
      }
    }
  }

  /** Starts no more chunks until {@link resume}; those under way are finished. */
  pause(): void {
    this.#plan.pause()
    this.#squares?.pause(true)
  }

  resume(): void {
    this.#plan.resume()
    this.#squares?.pause(false)
    this.#poke()
  }

  get progress(): TransferProgress {
    return this.#plan.progress(this.#options.clock.now())
  }

  /** All levels and chunks. The first that fails for good stops the others. */
  async #sendAll(announced: Promise<void>, signal: AbortSignal): Promise<void> {
    const work = new AbortController()
    const both = AbortSignal.any([signal, work.signal])
    const stop = (error: unknown): void => work.abort(error)
    const squares = new SquareSender({ ...this.#options, retry: this.#retry }, both, stop)
    for (const level of this.#plan.levels) squares.levelKnown(level)
    squares.pause(this.#plan.isPaused)
    this.#squares = squares
    const wants = announced.then(() => this.#followWants(both)).catch(stop)
    const levels = this.#levels.size === this.#options.slide.structure.levels.length ? Promise.resolve() : this.#sendLevels(announced, both).catch(stop)
    try {
      await this.#sendChunks(both, stop)
      signal.throwIfAborted()
    } finally {
      work.abort(new RelayFault('unavailable', 'the transfer ended'))
      await Promise.all([wants, levels, squares.settled()])
    }
  }

  async #sendLevels(announced: Promise<void>, signal: AbortSignal): Promise<void> {
    const { slide, door } = this.#options
    const { slideId } = slide.structure
    for await (const level of slide.levels(signal)) {
      await announced
      const missing = await this.#persist(() => door.putLevel(slideId, level, signal), signal)
      this.#levels.set(level.level, level)
      this.#plan.addLevel(level.level, [...level.index.entries()])
      this.#plan.learnMissing(level.level, missing)
      this.#squares?.levelKnown(level.level)
      this.#report()
      this.#poke()
    }
  }

  async #followWants(signal: AbortSignal): Promise<void> {
    const { slide, door } = this.#options
    const { slideId } = slide.structure
    while (!signal.aborted) {
      const wanted = await this.#persist(() => door.wanted(slideId, this.#plan.wantedSerial, signal), signal)
      this.#plan.want(wanted)
      this.#squares?.want(wanted.squares)
      this.#poke()
    }
  }

  async #sendChunks(signal: AbortSignal, stop: (error: unknown) => void): Promise<void> {
    const { clock, carrier } = this.#options
    const underWay = new Set<Promise<void>>()
    try {
      while (!this.#plan.isDone) {
        signal.throwIfAborted()
        const wake = this.#wake
        const { send, wakeAt } = this.#plan.step(clock.now(), carrier.window)
        for (const chunk of send) {
          const put: Promise<void> = this.#put(chunk, signal).catch(stop).finally(() => {
            underWay.delete(put)
            this.#poke()
          })
          underWay.add(put)
        }
        const lookAt = underWay.size === 0 ? Infinity : clock.now() + WINDOW_LOOK
        await this.#rest(wake.promise, Math.min(wakeAt ?? Infinity, lookAt), signal)
      }
    } finally {
      // Every put listens to the signal, or is the last.
      await Promise.all(underWay)
    }
  }

  async #put(chunk: PlannedChunk, signal: AbortSignal): Promise<void> {
    const { slide, carrier, clock } = this.#options
    const level = this.#levels.get(chunk.level)
    if (level === undefined) throw new Error('a chunk of a level that was not prepared')
    const body = await slide.readChunk(level, chunk.chunk)
    const wasDoubtful = this.#plan.isDoubtful
    try {
      await carrier.put(slide.structure.slideId, chunk.sha256, body, signal, chunk.isUrgent)
      this.#plan.stored(chunk, clock.now())
      this.#report()
    } catch (error) {
      if (signal.aborted) {
        this.#plan.stopped(chunk)
        return
      }
      const { code } = toFault(error)
      const failures = this.#plan.failed(chunk, clock.now())
      if (!isPassing(error, failures)) throw error
      this.#options.onFault?.(code)
      return
    }
    // Acknowledgements may have been lost with the line: what they were for need not go again.
    if (wasDoubtful) await this.#refresh(signal)
  }

  /** Asks again what is missing. */
  async #refresh(signal: AbortSignal): Promise<void> {
    if (this.#isRefreshing) return
    this.#isRefreshing = true
    try {
      for (const level of this.#plan.levels) {
        this.#plan.learnMissing(level, await this.#persist(() => this.#options.door.missing(this.#options.slide.structure.slideId, level, signal), signal))
      }
      this.#report()
    } finally {
      this.#isRefreshing = false
    }
  }

  /** Repeats what failed in passing. What is passed in may be repeated. */
  async #persist<Result>(ask: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const backoff = new Backoff(this.#retry, this.#options.random ?? Math.random)
    for (;;) {
      signal.throwIfAborted()
      try {
        return await ask()
      } catch (error) {
        signal.throwIfAborted()
        const wait = backoff.next()
        if (!isPassing(error, backoff.attempts)) throw error
        this.#options.onFault?.(toFault(error).code)
        await this.#options.clock.sleep(wait, signal)
      }
    }
  }

  /** Until something happened, or it is time. @throws the signal's reason. */
  async #rest(wake: Promise<undefined>, wakeAt: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const rest = new AbortController()
    const ended = AbortSignal.any([signal, rest.signal])
    const stopped = new Promise<void>(resolve => ended.addEventListener('abort', () => resolve(), { once: true }))
    const timer = wakeAt === Infinity ? stopped : clock.sleep(millis(Math.max(0, wakeAt - clock.now())), ended).catch(() => undefined)
    await Promise.race([wake, timer, stopped])
    rest.abort()
    signal.throwIfAborted()
  }

  #poke(): void {
    this.#wake.resolve(undefined)
    this.#wake = Promise.withResolvers()
  }

  #report(): void {
    this.#options.onProgress?.(this.progress)
  }
}
