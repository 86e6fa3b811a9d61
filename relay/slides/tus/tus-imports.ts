import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { FAULT_CODES, toFault } from '../../wire/fault.ts'
import { ConsultationId, MemberId, SlideId } from '../../wire/ids.ts'
import type { Logger } from '../../runtime/log.ts'
import type { FaultCode } from '../../wire/fault.ts'

/** Who uploads, and for which consultation. */
export const UploadOwner = z.strictObject({ memberId: MemberId, consultationId: ConsultationId })
export type UploadOwner = z.infer<typeof UploadOwner>

/** What became of an upload that arrived whole. */
export const ImportState = z.strictObject({
  state: z.enum(['importing', 'imported', 'failed']),
  owner: UploadOwner,
  /** In bytes. */
  size: z.int().min(0),
  /** In milliseconds since the epoch. */
  arrivedAtMillis: z.number(),
  slideId: SlideId.optional(),
  code: z.enum(FAULT_CODES).optional(),
})
export type ImportState = z.infer<typeof ImportState>

/** What makes a slide of a file: opens it, takes the names out, prepares it and puts it into the store. */
export type ImportSlide = (path: string, owner: UploadOwner) => Promise<SlideId>

/** An upload's name: what the library makes, and nothing else that a path could be made of. */
export const UPLOAD_ID = /^[0-9a-f]{32}$/

async function writeWhole(path: string, text: string): Promise<void> {
  {
    await using file = await open(`${path}.draft`, 'w', 0o600)
    await file.writeFile(text)
    await file.sync()
  }
  await rename(`${path}.draft`, path)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A disk that lost power may have left nothing of it.
    return undefined
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}

/** Uploads that arrived whole, on their way into the store: one after the other, and again after a crash. The file is deleted however it ends, and by the next start where the program ended first. */
export class TusImports {
  readonly #directory: string
  readonly #arriving: string
  readonly #importSlide: ImportSlide
  readonly #stopping: AbortSignal
  readonly #log: Logger
  readonly #states = new Map<string, ImportState>()
  readonly #taking = new Map<string, Promise<void>>()
  #last: Promise<void> = Promise.resolve()

  private constructor(directory: string, arriving: string, importSlide: ImportSlide, stopping: AbortSignal, log: Logger) {
    this.#directory = directory
    this.#arriving = arriving
    this.#importSlide = importSlide
    this.#stopping = stopping
    this.#log = log
  }

  /**
   * Goes on with what was under way when the program ended.
   *
   * @param arriving - Where files are until they are whole, under their ids; on the same file system.
   * @param stopping - Aborts when the program ends: what it interrupts begins anew after the next start.
   */
  static async open(directory: string, arriving: string, importSlide: ImportSlide, stopping: AbortSignal, log: Logger): Promise<TusImports> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const imports = new TusImports(directory, arriving, importSlide, stopping, log)
    for (const name of await readdir(directory)) {
      const id = /^([0-9a-f]{32})\.state$/.exec(name)?.[1]
      if (id === undefined) continue
      const state = ImportState.safeParse(parsed(await readFile(join(directory, name), 'utf8')))
      if (!state.success) continue
      imports.#states.set(id, state.data)
      if (state.data.state !== 'importing') continue
      await rename(join(arriving, id), imports.#fileOf(id)).catch(ignoreMissing)
      imports.#enqueue(id, state.data)
    }
    await imports.#sweep()
    return imports
  }

  /** Deletes what a crash left of uploads that have ended: they hold names. */
  async #sweep(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const id = /^([0-9a-f]{32})\.(?:state|slide)$/.exec(name)?.[1]
      const state = id === undefined ? undefined : this.#states.get(id)
      if (state === undefined || (name.endsWith('.slide') && state.state !== 'importing')) await rm(join(this.#directory, name), { recursive: true, force: true })
    }
  }

  state(id: string): ImportState | undefined {
    return this.#states.get(id)
  }

  /** Imports under way or waiting. */
  get underWay(): number {
    return [...this.#states.values()].filter(({ state }) => state === 'importing').length
  }

  /** Takes over a file that arrived whole. Idempotent. */
  async take(id: string, owner: UploadOwner, now: number): Promise<void> {
    if (this.#states.has(id)) return
    const taking = this.#taking.get(id) ?? this.#take(id, owner, now).finally(() => this.#taking.delete(id))
    this.#taking.set(id, taking)
    await taking
  }

  /** Forgets how uploads ended that arrived before. */
  async expire(before: number): Promise<void> {
    for (const [id, { state, arrivedAtMillis }] of this.#states) {
      if (state === 'importing' || arrivedAtMillis >= before) continue
      this.#states.delete(id)
      await rm(join(this.#directory, `${id}.state`), { force: true })
    }
  }

  /** When everything that was taken has ended. */
  async settled(): Promise<void> {
    await this.#last
  }

  async #take(id: string, owner: UploadOwner, now: number): Promise<void> {
    const arrived = join(this.#arriving, id)
    const { size } = await stat(arrived)
    {
      await using file = await open(arrived, 'r')
      await file.sync()
    }
    const state: ImportState = { state: 'importing', owner, size, arrivedAtMillis: now }
    // The state first: a file that was not moved before a crash is moved after it.
    await this.#keep(id, state)
    await rename(arrived, this.#fileOf(id))
    this.#states.set(id, state)
    this.#enqueue(id, state)
  }

  #enqueue(id: string, state: ImportState): void {
    this.#last = this.#last.then(() => this.#import(id, state)).catch((error: unknown) => this.#log.error({ err: error }, 'an upload could not be imported'))
  }

  async #import(id: string, { owner, size, arrivedAtMillis }: ImportState): Promise<void> {
    const ended = await this.#importSlide(this.#fileOf(id), owner).then(
      (slideId): Pick<ImportState, 'state' | 'slideId' | 'code'> => ({ state: 'imported', slideId }),
      (error: unknown): Pick<ImportState, 'state' | 'code'> => ({ state: 'failed', code: this.#codeOf(error) }),
    )
    if (ended.code === 'unavailable' && this.#stopping.aborted) return
    const state: ImportState = { ...ended, owner, size, arrivedAtMillis }
    this.#states.set(id, state)
    await this.#keep(id, state)
    await rm(this.#fileOf(id), { force: true })
    this.#log.info({ upload: id, slideId: state.slideId, code: state.code }, 'an upload was imported, or refused')
  }

  #codeOf(error: unknown): FaultCode {
    const fault = toFault(error)
    if (fault.code === 'internal') this.#log.error({ err: fault }, 'an upload could not be imported')
    return fault.code
  }

  #keep(id: string, state: ImportState): Promise<void> {
    return writeWhole(join(this.#directory, `${id}.state`), JSON.stringify(state))
  }

  #fileOf(id: string): string {
    return join(this.#directory, `${id}.slide`)
  }
}
