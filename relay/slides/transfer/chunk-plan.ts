import { Backoff } from '../../wire/backoff.ts'
import { millis } from '../../wire/units.ts'
import { TransferRate } from './transfer-rate.ts'
import type { BackoffOptions } from '../../wire/backoff.ts'
import type { Sha256 } from '../../wire/ids.ts'
import type { Bytes, Millis } from '../../wire/units.ts'
import type { WantedChunks } from './transfer.ts'

/** A chunk by its place. */
export interface ChunkRef {
  readonly level: number
  readonly chunk: number
}

/** A chunk that is to be sent. */
export interface PlannedChunk extends ChunkRef {
  readonly sha256: Sha256
  /** In bytes. */
  readonly length: number
  /** It is of a coarse level or wanted by a viewer: it may overtake those that are not. */
  readonly isUrgent: boolean
}

/** How far a transfer is. */
export interface TransferProgress {
  /** Distinct chunks that are at the far end, in bytes and number. */
  readonly bytesDone: number
  readonly chunksDone: number
  /** Distinct chunks of the levels known so far. */
  readonly bytesKnown: number
  readonly chunksKnown: number
  /** Whether all levels are known, so that these are the totals. */
  readonly isTotal: boolean
  /** Of late, in bytes per second; undefined before anything was acknowledged. */
  readonly bytesPerSecond: number | undefined
  /** Until all is sent; undefined while that cannot be known. */
  readonly remaining: Millis | undefined
}

/** What a plan is made from. */
export interface ChunkPlanOptions {
  /** How many levels the slide has. */
  readonly levels: number
  /** Coarsest levels that together are not longer than this go before everything that viewers want. */
  readonly coarseBytes: Bytes
  /** Waits after failures. */
  readonly retry: BackoffOptions
  readonly random?: () => number
}

/** One distinct chunk, which may stand at several places. */
interface Entry {
  readonly first: Omit<PlannedChunk, 'isUrgent'>
  state: 'pending' | 'sending' | 'waiting' | 'done'
  retryAt: Millis
  failures: number
}

interface PlannedLevel {
  readonly entries: readonly Entry[]
  /** Length of its chunks, repeated ones counted again. */
  readonly bytes: number
  /** No entry before this one is pending. */
  cursor: number
  /** Entries looked at to find a pending one. */
  looks: number
}

/** Wanted chunks that may be under way though the window is full of others: more than a viewport shows. */
const WANTED_BEYOND = 8
/** Failures without a success between them, after which the line counts as broken and one chunk at a time probes it. */
const DOUBT_AFTER = 2

/**
 * Decides which chunk goes next: coarse levels, then what viewers want, then the rest from the coarsest level to the
 * finest. Does no I/O and reads no clock: the caller owns both.
 */
export class ChunkPlan {
  readonly #options: ChunkPlanOptions
  readonly #backoff: Backoff
  readonly #rate = new TransferRate()
  readonly #levels = new Map<number, PlannedLevel>()
  /** The levels, coarsest first. */
  #order: readonly PlannedLevel[] = []
  readonly #byName = new Map<Sha256, Entry>()
  readonly #underWay = new Set<Entry>()
  readonly #waiting = new Set<Entry>()
  #wanted: Omit<WantedChunks, 'squares'> = { serial: 0, chunks: [] }
  #isPaused = false
  #failures = 0
  #probeAt = millis(0)
  #bytesDone = 0
  #bytesKnown = 0
  #chunksDone = 0

  constructor(options: ChunkPlanOptions) {
    this.#options = options
    this.#backoff = new Backoff(options.retry, options.random)
  }

  /** Takes a level whose chunks are known. A level that is known already stays as it is. */
  addLevel(level: number, chunks: readonly { readonly sha256: Sha256; readonly length: number }[]): void {
    if (this.#levels.has(level)) return
    const entries = chunks.map(({ sha256, length }, chunk) => this.#byName.get(sha256) ?? this.#newEntry({ level, chunk, sha256, length }))
    this.#levels.set(level, { entries, bytes: chunks.reduce((sum, { length }) => sum + length, 0), cursor: 0, looks: 0 })
    this.#order = [...this.#levels].sort(([a], [b]) => b - a).map(([, planned]) => planned)
  }

  /** Takes the far end's word on what it has of a level. @param missing - One bit per chunk, bit 0 of byte 0 first; set: missing. */
  learnMissing(level: number, missing: Uint8Array): void {
    const planned = this.#levels.get(level)
    if (planned === undefined) return
    for (const [chunk, entry] of planned.entries.entries()) {
      if (entry.state === 'sending') continue
      const isMissing = ((missing[chunk >> 3] ?? 0xff) & (1 << (chunk & 7))) !== 0
      if (!isMissing) this.#setDone(entry)
      else if (entry.state === 'done') this.#setPending(entry)
    }
  }

  /** Takes what viewers wait for; of two, that with the greater serial counts. */
  want(wanted: Omit<WantedChunks, 'squares'>): void {
    if (wanted.serial > this.#wanted.serial) this.#wanted = wanted
  }

  /** Serial of what is wanted, as last taken. */
  get wantedSerial(): number {
    return this.#wanted.serial
  }

  /**
   * What to send now, the most urgent first. They count as under way until {@link stored} or {@link failed}.
   *
   * @param window - How many chunks may be under way at once; some that viewers want beyond that.
   * @returns `wakeAt`: when to ask again though nothing else happened.
   */
  step(now: Millis, window: number): { readonly send: readonly PlannedChunk[]; readonly wakeAt: Millis | undefined } {
    if (this.#isPaused) return { send: [], wakeAt: undefined }
    for (const entry of this.#waiting) if (entry.retryAt <= now) this.#setPending(entry)
    const send: PlannedChunk[] = []
    if (!this.isDoubtful || this.#probeAt <= now) {
      const room = this.isDoubtful ? Math.min(1, window) : window
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        const { entry, isUrgent, isWanted } = next
        if (!isUrgent && this.#isFirstUnderWay) break
        if (this.#underWay.size >= (isWanted && !this.isDoubtful ? room + WANTED_BEYOND : room)) break
        entry.state = 'sending'
        this.#underWay.add(entry)
        send.push({ ...entry.first, isUrgent })
      }
    }
    return { send, wakeAt: this.#wakeAt(now) }
  }

  /** The far end has a chunk that was under way. */
  stored(chunk: PlannedChunk, now: Millis): void {
    this.#failures = 0
    this.#backoff.succeeded()
    const entry = this.#finish(chunk)
    if (entry === undefined || entry.state === 'done') return
    this.#setDone(entry)
    this.#rate.count(chunk.length, now)
  }

  /** A chunk that was under way did not get there; it goes again after a wait. @returns How often this chunk failed so far. */
  failed(chunk: PlannedChunk, now: Millis): number {
    const entry = this.#finish(chunk)
    if (entry === undefined || entry.state === 'done') return 0
    this.#failures++
    entry.failures++
    entry.state = 'waiting'
    entry.retryAt = millis(now + this.#backoff.next())
    this.#probeAt = entry.retryAt
    this.#waiting.add(entry)
    return entry.failures
  }

  /** A chunk that was under way was stopped by this side; it goes again at once. */
  stopped(chunk: PlannedChunk): void {
    const entry = this.#finish(chunk)
    if (entry?.state === 'sending') this.#setPending(entry)
  }

  /** Whether nothing gets through at the moment, as far as can be told. */
  get isDoubtful(): boolean {
    return this.#failures >= DOUBT_AFTER
  }

  /** Starts nothing more; what is under way goes on. */
  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Entries looked at so far to find what is sent next: what planning costs. */
  get looks(): number {
    return this.#order.reduce((sum, { looks }) => sum + looks, 0)
  }

  /** Whether every chunk of every level is at the far end. */
  get isDone(): boolean {
    return this.#levels.size === this.#options.levels && this.#chunksDone === this.#byName.size
  }

  /** Levels that are known. */
  get levels(): readonly number[] {
    return [...this.#levels.keys()]
  }

  progress(now: Millis): TransferProgress {
    const isTotal = this.#levels.size === this.#options.levels
    const bytesPerSecond = this.#rate.bytesPerSecond(now)
    const rest = this.#bytesKnown - this.#bytesDone
    const isKnown = isTotal && (rest === 0 || (bytesPerSecond ?? 0) > 0)
    const remaining = isKnown ? millis(rest === 0 ? 0 : (rest * 1000) / (bytesPerSecond ?? Infinity)) : undefined
    return { bytesDone: this.#bytesDone, chunksDone: this.#chunksDone, bytesKnown: this.#bytesKnown, chunksKnown: this.#byName.size, isTotal, bytesPerSecond, remaining }
  }

  #newEntry(first: Entry['first']): Entry {
    const entry: Entry = { first, state: 'pending', retryAt: millis(0), failures: 0 }
    this.#byName.set(first.sha256, entry)
    this.#bytesKnown += first.length
    return entry
  }

  #finish({ sha256 }: PlannedChunk): Entry | undefined {
    const entry = this.#byName.get(sha256)
    if (entry !== undefined) this.#underWay.delete(entry)
    return entry
  }

  #setDone(entry: Entry): void {
    if (entry.state === 'done') return
    entry.state = 'done'
    this.#waiting.delete(entry)
    this.#chunksDone++
    this.#bytesDone += entry.first.length
  }

  #setPending(entry: Entry): void {
    if (entry.state === 'done') {
      this.#chunksDone--
      this.#bytesDone -= entry.first.length
    }
    entry.state = 'pending'
    this.#waiting.delete(entry)
    const level = this.#levels.get(entry.first.level)
    if (level !== undefined) level.cursor = Math.min(level.cursor, entry.first.chunk)
  }

  /** The coarsest levels, as far as they are known, that go before everything else. */
  get #coarse(): readonly PlannedLevel[] {
    let bytes = 0
    const end = this.#order.findIndex(level => (bytes += level.bytes) > this.#options.coarseBytes)
    return end < 0 ? this.#order : this.#order.slice(0, end)
  }

  /** What a reader sees first has the line to itself: a flood behind it makes it late where its rate is still to be found. */
  get #isFirstUnderWay(): boolean {
    return this.#coarse.some(({ entries }) => entries.some(({ state }) => state === 'sending'))
  }

  #next(): { readonly entry: Entry; readonly isUrgent: boolean; readonly isWanted: boolean } | undefined {
    const coarse = this.#coarse
    const first = firstPending(coarse)
    const entry = first ?? this.#nextWanted() ?? firstPending(this.#order.slice(coarse.length))
    if (entry === undefined) return undefined
    const isWanted = this.#wanted.chunks.some(({ level, chunk }) => this.#levels.get(level)?.entries[chunk] === entry)
    return { entry, isUrgent: first !== undefined || isWanted, isWanted }
  }

  #nextWanted(): Entry | undefined {
    for (const { level, chunk } of this.#wanted.chunks) {
      const entry = this.#levels.get(level)?.entries[chunk]
      if (entry?.state === 'pending') return entry
    }
    return undefined
  }

  #wakeAt(now: Millis): Millis | undefined {
    const times = [...this.#waiting].map(({ retryAt }) => retryAt)
    if (this.isDoubtful && this.#probeAt > now) times.push(this.#probeAt)
    return times.length === 0 ? undefined : millis(Math.min(...times))
  }
}

function firstPending(levels: readonly PlannedLevel[]): Entry | undefined {
  for (const level of levels) {
    for (; level.cursor < level.entries.length; level.cursor++) {
      level.looks++
      const entry = level.entries[level.cursor]
      if (entry?.state === 'pending') return entry
    }
  }
  return undefined
}
