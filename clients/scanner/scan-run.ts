import { Backoff } from '../../relay/wire/backoff.ts'
import { FINAL_ACCESS_FAULTS, RelayFault, toFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { FileSettling } from './file-settling.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { SlideId } from '../../relay/wire/ids.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { FileLook } from './file-settling.ts'
import type { FolderNews } from './folder-watch.ts'
import type { ScanJob, SlideProgress } from './scan-job.ts'
import type { ScanQueue } from './scan-queue.ts'

/** What was prepared and told the node of a slide cannot be gone on with: it has to become a slide of its own. */
export class OutdatedPreparation extends Error {
  override readonly name = 'OutdatedPreparation'
}

/** Who hears how a slide is doing. */
export interface SlideListener {
  readonly progress: (progress: SlideProgress) => void
  /** Something failed in passing and is tried again. */
  readonly fault: (code: FaultCode) => void
}

/** Brings one slide from its file to the node. */
export interface SlidePipeline {
  /** Whether the file opens as a slide. @throws {RelayFault} `bad_slide` or `unsupported_slide`. */
  probe(path: string): Promise<void>
  /**
   * Resolves when the slide is complete at the node. Goes on where an earlier call for the same id ended.
   *
   * @throws {RelayFault} What does not pass; {@link OutdatedPreparation}; the signal's reason when it aborts.
   */
  send(job: ScanJob, on: SlideListener, signal: AbortSignal): Promise<void>
  /** Forgets what it keeps of a slide. */
  forget(slideId: SlideId): Promise<void>
}

/** Why nothing is sent at the moment. */
export type HoldReason = 'paused' | 'hours'

/** What happens in a run. Names no file. */
export type ScanEvent =
  | { readonly event: 'started' | 'done'; readonly slideId: SlideId }
  | { readonly event: 'progress'; readonly slideId: SlideId; readonly progress: SlideProgress }
  | { readonly event: 'failed' | 'retrying'; readonly slideId: SlideId; readonly code: FaultCode }
  | { readonly event: 'held'; readonly reason: HoldReason | undefined }

/** What became of the slides of a run. */
export interface ScanTally {
  done: number
  failed: number
  refused: number
  noSlides: number
}

/** What a {@link ScanRun} stands on. */
export interface ScanRunOptions {
  readonly queue: ScanQueue
  readonly pipeline: SlidePipeline
  readonly look: (path: string) => Promise<FileLook | undefined>
  /** Files that appeared in the watched folder; undefined where none is watched and the run ends with its queue. */
  readonly candidates: (() => Promise<readonly string[]>) | undefined
  /** Tells by itself what happens in the watched folder; undefined where it has to be listed to know. */
  readonly news?: FolderNews | undefined
  /** Whether sending is allowed at this hour. */
  readonly isOpen: () => boolean
  readonly settling: { readonly still: Millis; readonly patience: Millis }
  readonly atOnce: number
  /** A slide that failed so often is given up, where no folder is watched. */
  readonly maxAttempts: number
  readonly clock: Clock
  readonly log: Logger
  readonly onEvent: (event: ScanEvent) => void
}

/** The file itself, whatever node it is sent to. */
const NO_SLIDE: ReadonlySet<FaultCode> = new Set(['bad_slide', 'unsupported_slide'])
/** The same invitation meets these again with every other slide. */
const NOT_ADMITTED: ReadonlySet<FaultCode> = new Set(FINAL_ACCESS_FAULTS)
/** The node's word about this slide. */
const REFUSED: ReadonlySet<FaultCode> = new Set(['grant_refused', 'quota_exceeded', 'conflict', 'signature_refused', 'identity_refused', 'bad_message', 'unsupported_media', 'hash_mismatch', 'not_found'])

const TICK = millis(500)
/** While a file settles that is watched, and may be complete within a tenth of a second. */
const QUICK_TICK = millis(50)
/** A folder on a share is listed no more often. */
const LIST_INTERVAL = millis(3000)
/** One that tells what comes: many files may come at once. */
const NEWS_INTERVAL = millis(100)
/** Files that are looked at together. */
const LOOKS = 32
const RETRY = { first: millis(2000), cap: millis(300_000) }
const WRITE_INTERVAL = millis(1000)

const HELD = new RelayFault('unavailable', 'held')

/** Works through a queue until it is empty, or for ever where a folder is watched. */
export class ScanRun {
  readonly #options: ScanRunOptions
  readonly #settling = new Map<SlideId, FileSettling>()
  readonly #retries = new Map<SlideId, { readonly backoff: Backoff; readonly at: Millis }>()
  readonly #active = new Map<SlideId, Promise<void>>()
  #work = new AbortController()
  #refusal: RelayFault | undefined
  #listedAt = millis(-Infinity)
  #held: HoldReason | undefined
  #hasNews = false
  #isSettlingWatched = false
  readonly tally: ScanTally = { done: 0, failed: 0, refused: 0, noSlides: 0 }

  constructor(options: ScanRunOptions) {
    this.#options = options
  }

  /**
   * Returns when everything is done or given up, or the signal aborts: then slides under way stay in the queue.
   *
   * @throws {RelayFault} `invitation_refused`, `invitation_expired` or `wrong_role`: all slides stay in the queue.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { queue, candidates } = this.#options
    const stop = (): void => this.#work.abort(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    try {
      while (!signal.aborted && this.#refusal === undefined) {
        await this.#list()
        this.#hold()
        if (this.#held === undefined) await this.#start()
        if (candidates === undefined && this.#active.size === 0 && queue.unfinished === 0) return
        await this.#rest(signal)
      }
    } finally {
      signal.removeEventListener('abort', stop)
      this.#work.abort(this.#refusal ?? HELD)
      await Promise.all(this.#active.values())
    }
    if (this.#refusal !== undefined) throw this.#refusal
  }

  /** Until something may have to be done. */
  async #rest(signal: AbortSignal): Promise<void> {
    const { clock, news } = this.#options
    const rest = new AbortController()
    const isQuick = this.#hasNews || this.#isSettlingWatched
    const timer = clock.sleep(isQuick ? QUICK_TICK : TICK, AbortSignal.any([signal, rest.signal])).catch(() => undefined)
    await Promise.race([timer, ...this.#active.values(), ...(news === undefined || isQuick ? [] : [news.next])])
    rest.abort()
  }

  /** Takes up what appeared in the watched folder. */
  async #list(): Promise<void> {
    const { candidates, clock, look, log, news, queue } = this.#options
    if (news?.takeNews() === true) this.#hasNews = true
    if (candidates === undefined || clock.now() - this.#listedAt < (this.#hasNews ? NEWS_INTERVAL : LIST_INTERVAL)) return
    this.#listedAt = clock.now()
    this.#hasNews = false
    try {
      for (const path of await candidates()) {
        const seen = await look(path)
        if (seen !== undefined) queue.add(path, seen, false)
      }
    } catch (error) {
      log.warn({ err: error }, 'the folder cannot be listed, or not all of it taken up')
    }
  }

  /** Whether anything may be sent; what is under way stops where it is. */
  #hold(): void {
    const { queue, isOpen, onEvent } = this.#options
    const reason = queue.isPaused ? 'paused' : isOpen() ? undefined : 'hours'
    if (reason === this.#held) return
    this.#held = reason
    this.#isSettlingWatched = false
    onEvent({ event: 'held', reason })
    if (reason !== undefined) this.#work.abort(HELD)
  }

  async #start(): Promise<void> {
    const { atOnce, clock, queue } = this.#options
    if (this.#work.signal.aborted && this.#active.size === 0) this.#work = new AbortController()
    this.#isSettlingWatched = false
    if (this.#work.signal.aborted) return
    for (const job of queue.pending(LOOKS)) {
      if (this.#active.size >= atOnce) return
      if (this.#active.has(job.slideId) || (this.#retries.get(job.slideId)?.at ?? 0) > clock.now()) continue
      const ready = await this.#settle(job)
      if (ready === undefined) continue
      const work = this.#process(ready).finally(() => this.#active.delete(ready.slideId))
      this.#active.set(ready.slideId, work)
    }
  }

  /** @returns The job, when its file is complete; under a new id, when it is another file than the one that was begun. */
  async #settle(job: ScanJob): Promise<ScanJob | undefined> {
    const { clock, look, news, pipeline, queue, settling } = this.#options
    const seen = await look(job.path)
    if (job.look !== undefined && seen !== undefined) {
      if (seen.size === job.look.size && seen.modifiedAtMillis === job.look.modifiedAtMillis) return job
      await pipeline.forget(job.slideId)
      queue.renew(job.slideId)
      return undefined
    }
    const file = this.#settling.get(job.slideId) ?? new FileSettling(settling)
    this.#settling.set(job.slideId, file)
    const watched = seen?.isFolder === true ? undefined : news?.of(job.path)
    const { code } = file.step(seen, clock.now(), watched)
    this.#isSettlingWatched ||= watched !== undefined && code === 'wait'
    if (code === 'no_slide') this.#finish(job, seen, 'bad_slide')
    if (code === 'gone') this.#finish(job, undefined, 'bad_source')
    if (code !== 'open' || seen === undefined) return undefined
    try {
      await pipeline.probe(job.path)
    } catch (error) {
      const fault = toFault(error)
      // What no reader knows will not become a slide by waiting; what is broken may still be written.
      if (fault.code === 'unsupported_slide') this.#finish(job, seen, fault.code)
      return undefined
    }
    this.#settling.delete(job.slideId)
    queue.update(job.slideId, { look: seen })
    return { ...job, look: seen }
  }

  async #process(job: ScanJob): Promise<void> {
    const { clock, log, onEvent, pipeline, queue } = this.#options
    const { slideId } = job
    const { signal } = this.#work
    let [stage, writtenAt] = ['preparing', clock.now()] as ['preparing' | 'sending', Millis]
    queue.update(slideId, { state: stage })
    onEvent({ event: 'started', slideId })
    const progress = (now: SlideProgress): void => {
      const reached = now.stage === 'sending' ? 'sending' : 'preparing'
      if (reached !== stage || clock.now() - writtenAt >= WRITE_INTERVAL) {
        ;[stage, writtenAt] = [reached, clock.now()]
        queue.update(slideId, { state: stage, sent: now.sent })
      }
      onEvent({ event: 'progress', slideId, progress: now })
    }
    try {
      await pipeline.send(job, { progress, fault: code => onEvent({ event: 'retrying', slideId, code }) }, signal)
      this.#finish(job, job.look, undefined)
      await pipeline.forget(slideId)
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof OutdatedPreparation) {
        await pipeline.forget(slideId)
        queue.renew(slideId)
        return
      }
      const fault = toFault(error)
      log.warn({ slideId, err: fault }, 'a slide was not sent')
      this.#failed(job, fault)
    }
  }

  #failed(job: ScanJob, fault: RelayFault): void {
    const { candidates, clock, maxAttempts, onEvent, queue } = this.#options
    const { slideId } = job
    if (NOT_ADMITTED.has(fault.code)) {
      queue.update(slideId, { state: 'waiting', fault: fault.code })
      this.#refusal = fault
      return
    }
    const attempts = job.attempts + 1
    const isFinal = NO_SLIDE.has(fault.code) || REFUSED.has(fault.code) || (candidates === undefined && attempts >= maxAttempts)
    if (isFinal) {
      queue.update(slideId, { attempts })
      this.#finish(job, job.look, fault.code)
      return
    }
    queue.update(slideId, { state: 'waiting', attempts, fault: fault.code })
    const { backoff } = this.#retries.get(slideId) ?? { backoff: new Backoff(RETRY) }
    this.#retries.set(slideId, { backoff, at: millis(clock.now() + backoff.next()) })
    onEvent({ event: 'retrying', slideId, code: fault.code })
  }

  /** @param code - Undefined for one that arrived. */
  #finish({ slideId }: ScanJob, look: FileLook | undefined, code: FaultCode | undefined): void {
    const { onEvent, queue } = this.#options
    this.#settling.delete(slideId)
    this.#retries.delete(slideId)
    queue.update(slideId, { state: code === undefined ? 'done' : 'failed', ...(look === undefined ? {} : { look }), ...(code === undefined ? {} : { fault: code }) })
    if (code === undefined) this.tally.done++
    else if (NO_SLIDE.has(code)) this.tally.noSlides++
    else if (REFUSED.has(code)) this.tally.refused++
    else this.tally.failed++
    onEvent(code === undefined ? { event: 'done', slideId } : { event: 'failed', slideId, code })
  }
}
