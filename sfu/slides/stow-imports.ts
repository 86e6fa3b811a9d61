import { toFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { StowedSeries, StowFolder } from '../../relay/slides/dicomweb/stow-folder.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** When uploaded series become slides. */
export interface StowTimes {
  /** After so long without another instance a series is taken to be whole. */
  readonly quiet: Millis
  /** How often is looked. */
  readonly interval: Millis
}

/** What {@link StowImports} are made from. */
export interface StowImportsOptions extends StowTimes {
  readonly folder: StowFolder
  /** Makes the slide of a series, once: a series that became one already is left as it is. */
  readonly importSeries: (series: StowedSeries) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/** Faults that may be gone later; a series that meets another is discarded. */
const PASSING: ReadonlySet<FaultCode> = new Set<FaultCode>(['quota_exceeded', 'storage_full', 'overloaded', 'unavailable'])
/** Until a series that met one is tried again, and until it is given up. */
const RETRY = millis(10 * 60_000)
const GIVE_UP = millis(24 * 3_600_000)

/** Makes slides of uploaded series, one after the other, and discards each series however it ended. */
export class StowImports implements AsyncDisposable {
  readonly #options: StowImportsOptions
  readonly #timer: NodeJS.Timeout
  readonly #waiting = new Map<SlideId, { readonly since: Millis; until: Millis }>()
  #pass: Promise<void> | undefined
  #isClosing = false

  constructor(options: StowImportsOptions) {
    this.#options = options
    this.#timer = setInterval(() => {
      this.#pass ??= this.#importSettled().finally(() => (this.#pass = undefined))
    }, options.interval)
    this.#timer.unref()
  }

  /** Waits for the import under way. A series that it leaves is taken up after the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true
    clearInterval(this.#timer)
    await this.#pass
  }

  async #importSettled(): Promise<void> {
    const { folder, quiet, clock, log } = this.#options
    for (const series of folder.settled(quiet)) {
      if (this.#isClosing) return
      if (clock.now() < (this.#waiting.get(series.slideId)?.until ?? 0)) continue
      try {
        await this.#import(series)
      } catch (error) {
        log.error({ err: error, slideId: series.slideId }, 'an uploaded series could not be discarded')
      }
    }
  }

  async #import(series: StowedSeries): Promise<void> {
    const { folder, importSeries, log } = this.#options
    const { slideId } = series
    folder.seal(series)
    const fault = await importSeries(series).then(() => undefined, toFault)
    if (fault !== undefined && this.#isClosing) return
    if (fault?.code === 'internal') log.error({ err: fault, slideId }, 'an uploaded series could not be imported')
    else log.info({ slideId, code: fault?.code }, 'an uploaded series was imported, or refused')
    if (fault !== undefined && PASSING.has(fault.code) && this.#mayWait(slideId)) return
    this.#waiting.delete(slideId)
    await folder.discard(series)
  }

  #mayWait(slideId: SlideId): boolean {
    const now = this.#options.clock.now()
    const since = this.#waiting.get(slideId)?.since ?? now
    this.#waiting.set(slideId, { since, until: millis(now + RETRY) })
    return now - since < GIVE_UP
  }
}
