import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { SlideStore, StoreDefect } from '../../relay/slides/store/slide-store.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { SlideMetrics } from './slide-metrics.ts'

/** What a {@link StoreVerification} works with. */
export interface StoreVerificationOptions {
  readonly store: Pick<SlideStore, 'verify'>
  /** From the start to the first pass, and from the end of one to the next. */
  readonly interval: Millis
  readonly metrics: Pick<SlideMetrics, 'verified' | 'defects'>
  readonly clock: Clock
  readonly log: Logger
}

/** Reads everything in a store again from time to time: a disk that forgets is noticed while the scanner may still have the slide. */
export class StoreVerification implements AsyncDisposable {
  readonly #options: StoreVerificationOptions
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  constructor(options: StoreVerificationOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  /** Stops the pass under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, interval, log } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await clock.sleep(interval, signal)
        await this.#pass(signal)
      } catch (error) {
        if (!this.#stop.signal.aborted) log.error({ err: error }, 'the slide store could not be verified')
      }
    }
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const { store, metrics, log } = this.#options
    const found: StoreDefect['kind'][] = []
    const { checked } = await store.verify(defect => {
      found.push(defect.kind)
      metrics.defects.inc({ defect: defect.kind.replace('chunk_', '') })
    }, signal)
    metrics.verified.inc(checked)
    if (found.length > 0) log.error({ checked, defects: found.length }, 'slide chunks were lost or damaged on the disk')
    else log.info({ checked }, 'the slide store was verified')
  }
}
