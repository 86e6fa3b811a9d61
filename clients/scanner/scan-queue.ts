import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import { FAULT_CODES, RelayFault } from '../../relay/wire/fault.ts'
import { SlideId } from '../../relay/wire/ids.ts'
import { JOB_STATES } from './scan-job.ts'
import type { FileLook } from './file-settling.ts'
import type { ScanJob } from './scan-job.ts'

/** Slides that wait at most; a folder with more is taken up as they leave. */
export const MAX_UNFINISHED = 10_000

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS job (
    number INTEGER PRIMARY KEY,
    slide_id TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL UNIQUE,
    size INTEGER,
    modified_at_millis REAL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    fault TEXT,
    chunks INTEGER NOT NULL DEFAULT 0,
    chunks_done INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    bytes_done INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX IF NOT EXISTS job_state ON job (state, number);
  CREATE TABLE IF NOT EXISTS switch (name TEXT PRIMARY KEY, is_on INTEGER NOT NULL) STRICT;
`

const count = z.int().min(0)
const Row = z.object({
  slide_id: SlideId, path: z.string(), size: count.nullable(), modified_at_millis: z.number().nullable(),
  state: z.enum(JOB_STATES), attempts: count, fault: z.enum(FAULT_CODES).nullable(),
  chunks: count, chunks_done: count, bytes: count, bytes_done: count,
})

function toJob(row: unknown): ScanJob {
  const { slide_id: slideId, path, size, modified_at_millis: modifiedAtMillis, state, attempts, fault, ...counts } = Row.parse(row)
  return {
    slideId, path, state, attempts, fault: fault ?? undefined,
    look: size === null || modifiedAtMillis === null ? undefined : { size, modifiedAtMillis },
    sent: { chunks: counts.chunks, chunksDone: counts.chunks_done, bytes: counts.bytes, bytesDone: counts.bytes_done },
  }
}

/**
 * The slides of one scanner, kept in its state directory through crashes and reboots. Any number of processes may look
 * and add; who works on it holds {@link lock}.
 */
export class ScanQueue implements Disposable {
  readonly #database: DatabaseSync
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
    this.#database = new DatabaseSync(join(directory, 'queue.sqlite'), { timeout: 5000 })
    this.#database.exec(SCHEMA)
  }

  /** @throws {RelayFault} `bad_config` when the directory cannot be made or the queue in it cannot be read. */
  static open(directory: string): ScanQueue {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      return new ScanQueue(directory)
    } catch (cause) {
      throw new RelayFault('bad_config', '--state-dir: cannot be used', { cause })
    }
  }

  /** Holds the right to work on the queue, until disposed or the process ends in whatever way. @throws {RelayFault} `conflict` when another process has it. */
  lock(): Disposable {
    const holder = new DatabaseSync(join(this.#directory, 'lock.sqlite'), { timeout: 0 })
    try {
      holder.exec('BEGIN EXCLUSIVE')
    } catch (cause) {
      holder.close()
      throw new RelayFault('conflict', 'another scanner works on this queue', { cause })
    }
    return { [Symbol.dispose]: () => holder.close() }
  }

  /**
   * Puts a file into the queue.
   *
   * @param look - As it is at this moment; a finished slide whose file is another one by now is a new slide.
   * @param isAskedFor - Somebody named it: one that failed is tried again.
   * @throws {RelayFault} `overloaded` when {@link MAX_UNFINISHED} wait.
   */
  add(path: string, look: FileLook, isAskedFor: boolean): ScanJob {
    const known = this.#one('SELECT * FROM job WHERE path = ?', path)
    if (known === undefined) {
      if (this.unfinished >= MAX_UNFINISHED) throw new RelayFault('overloaded', 'the queue is full')
      this.#run("INSERT INTO job (slide_id, path, state) VALUES (?, ?, 'waiting')", randomUUID(), path)
    } else if (known.state === 'done' || known.state === 'failed') {
      const isSame = known.look?.size === look.size && known.look.modifiedAtMillis === look.modifiedAtMillis
      if (!isSame) this.renew(known.slideId)
      else if (isAskedFor && known.state === 'failed') this.#run("UPDATE job SET state = 'waiting', attempts = 0, fault = NULL WHERE slide_id = ?", known.slideId)
    }
    const job = this.#one('SELECT * FROM job WHERE path = ?', path)
    if (job === undefined) throw new Error('the job is in the queue')
    return job
  }

  /** The file is another one than before: a slide of its own, at the end of the queue. @returns The job under its new id. */
  renew(slideId: SlideId): ScanJob {
    const job = this.job(slideId)
    if (job === undefined) throw new RelayFault('not_found', 'no such slide in the queue')
    const renewed = SlideId.parse(randomUUID())
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      this.#run('DELETE FROM job WHERE slide_id = ?', slideId)
      this.#run("INSERT INTO job (slide_id, path, state) VALUES (?, ?, 'waiting')", renewed, job.path)
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
    return { slideId: renewed, path: job.path, look: undefined, state: 'waiting', attempts: 0, fault: undefined, sent: { chunks: 0, chunksDone: 0, bytes: 0, bytesDone: 0 } }
  }

  /**
   * Writes down what became of a slide. How much was sent is only shown, so it is not synced: that would hold up for tens
   * of milliseconds whatever else this thread sends, and a power failure may take it back.
   */
  update(slideId: SlideId, { state, look, attempts, fault, sent }: Partial<Omit<ScanJob, 'slideId' | 'path'>>): void {
    const set: [string, string | number | null][] = []
    if (state !== undefined) set.push(['state', state], ['fault', fault ?? null])
    if (attempts !== undefined) set.push(['attempts', attempts])
    if (look !== undefined) set.push(['size', look.size], ['modified_at_millis', look.modifiedAtMillis])
    if (sent !== undefined) set.push(['chunks', sent.chunks], ['chunks_done', sent.chunksDone], ['bytes', sent.bytes], ['bytes_done', sent.bytesDone])
    if (set.length === 0) return
    if (sent !== undefined) this.#database.exec('PRAGMA synchronous = NORMAL')
    try {
      this.#run(`UPDATE job SET ${set.map(([column]) => `${column} = ?`).join(', ')} WHERE slide_id = ?`, ...set.map(([, value]) => value), slideId)
    } finally {
      if (sent !== undefined) this.#database.exec('PRAGMA synchronous = FULL')
    }
  }

  job(slideId: SlideId): ScanJob | undefined {
    return this.#one('SELECT * FROM job WHERE slide_id = ?', slideId)
  }

  /** Slides with something left to do, those that were begun first, then in the order they were given. */
  pending(limit: number): ScanJob[] {
    return this.#all("SELECT * FROM job WHERE state IN ('waiting', 'preparing', 'sending') ORDER BY state = 'waiting', number LIMIT ?", limit)
  }

  /** The last slides, whatever their state, oldest first. */
  latest(limit: number): ScanJob[] {
    return this.#all('SELECT * FROM job ORDER BY number DESC LIMIT ?', limit).reverse()
  }

  get unfinished(): number {
    const row = this.#database.prepare("SELECT count(*) AS n FROM job WHERE state IN ('waiting', 'preparing', 'sending')").get()
    return Number(row?.['n'] ?? 0)
  }

  /** Whether somebody told the scanner to hold still. */
  get isPaused(): boolean {
    return this.#database.prepare("SELECT is_on FROM switch WHERE name = 'paused'").get()?.['is_on'] === 1
  }

  set isPaused(value: boolean) {
    this.#run("INSERT INTO switch (name, is_on) VALUES ('paused', ?) ON CONFLICT (name) DO UPDATE SET is_on = excluded.is_on", value ? 1 : 0)
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  #run(sql: string, ...values: (string | number | null)[]): void {
    this.#database.prepare(sql).run(...values)
  }

  #one(sql: string, value: string): ScanJob | undefined {
    const row = this.#database.prepare(sql).get(value)
    return row === undefined ? undefined : toJob(row)
  }

  #all(sql: string, limit: number): ScanJob[] {
    return this.#database.prepare(sql).all(limit).map(toJob)
  }
}
