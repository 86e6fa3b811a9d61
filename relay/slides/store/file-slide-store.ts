import { mkdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../runtime/clock.ts'
import { RelayFault } from '../../wire/fault.ts'
import { ChunkCommitter } from './chunk-committer.ts'
import { ChunkWatch } from './chunk-watch.ts'
import { MetadataReader } from './metadata-reader.ts'
import { MetadataWriter } from './metadata-writer.ts'
import { packFileSystem, packName, PackWriter } from './pack-writer.ts'
import { PackReader } from './pack-reader.ts'
import { checkDocument } from './slide-store.ts'
import { toStorageFault } from './storage-fault.ts'
import { FolderLock } from '../../runtime/folder-lock.ts'
import { recoverPacks } from './store-recovery.ts'
import { verifyChunks } from './chunk-verification.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { ConsultationId, MemberId, Sha256, SlideId } from '../../wire/ids.ts'
import type { ChunkListener, IndexedLength, LevelRecord, SlideRecord, SlideStore, StoreDefect, StoreUsage } from './slide-store.ts'
import type { MetadataOperation, OperationResult } from './metadata-operations.ts'
import type { CommittedBatch } from './chunk-committer.ts'
import type { ChunkRow, PackRow } from './metadata-reader.ts'
import type { PackFileSystem } from './pack-writer.ts'

/** Where a store is and how large it may get. */
export interface FileSlideStoreOptions {
  /** Made when it is not there. Nothing else may be in it. */
  readonly directory: string
  /** For chunks, level indexes and documents together, in bytes. */
  readonly quotaBytes: number
  readonly log: Logger
  /** Room on the disk that new chunks leave free, so that a full store can still be deleted from. In bytes; 128 MiB. */
  readonly reserveBytes?: number
  readonly clock?: Clock
  readonly fileSystem?: PackFileSystem
  /** Told of each group commit of chunks. Must not throw. */
  readonly onCommit?: (batch: CommittedBatch) => void
}

/** A pack is rewritten when less than this share of it is referred to. */
const LEAST_LIVE_SHARE = 0.5
/** Chunks that are moved side by side. */
const MOVES = 8
const DEFAULT_RESERVE_BYTES = 128 * 1024 * 1024

/** What a store stands on; made by `open`. */
interface StoreParts {
  readonly directory: string
  readonly reader: MetadataReader
  readonly writer: MetadataWriter
  readonly packWriter: PackWriter
  readonly packReader: PackReader
  readonly scope: AsyncDisposableStack
}

/**
 * A slide store on one machine's disk: chunks in pack files, everything else in SQLite. One process at a time.
 *
 * @see docs/adr/0015-slide-store.md
 */
export class FileSlideStore implements SlideStore {
  readonly #options: FileSlideStoreOptions
  readonly #parts: StoreParts
  readonly #committer: ChunkCommitter
  readonly #watch = new ChunkWatch()
  readonly #putting = new Map<string, Promise<'stored' | 'known'>>()
  #usage: { readonly chunks: number; readonly bytes: number }
  #puttingBytes = 0
  #background: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  private constructor(options: FileSlideStoreOptions, parts: StoreParts) {
    this.#options = options
    this.#parts = parts
    this.#usage = parts.reader.usage()
    this.#committer = new ChunkCommitter({
      directory: parts.directory,
      packs: parts.packWriter,
      commit: operation => this.#change(operation),
      clock: options.clock ?? systemClock,
      reserveBytes: options.reserveBytes ?? DEFAULT_RESERVE_BYTES,
      onCommit: options.onCommit,
    })
  }

  /**
   * Opens a store, and takes away what an earlier process left unfinished.
   *
   * @throws {RelayFault} `conflict` when it is open elsewhere; `storage_full`; `internal` when its metadata cannot be read.
   */
  static async open(options: FileSlideStoreOptions): Promise<FileSlideStore> {
    const directory = join(options.directory, 'packs')
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await using scope = new AsyncDisposableStack()
      scope.use(new FolderLock(join(options.directory, 'lock'), 'the slide store'))
      const path = join(options.directory, 'metadata.sqlite')
      const writer = scope.use(await MetadataWriter.open(path))
      const reader = scope.use(new MetadataReader(path))
      await packFileSystem.syncDirectory(options.directory)
      const last = await recoverPacks(directory, reader, writer, options.log)
      const packWriter = scope.use(new PackWriter(directory, last, options.fileSystem))
      const packReader = scope.use(new PackReader(directory))
      const store = new FileSlideStore(options, { directory, reader, writer, packWriter, packReader, scope: scope.move() })
      store.#reclaimLater()
      return store
    } catch (error) {
      throw toStorageFault(error)
    }
  }

  async createSlide({ slideId, consultationId, owner, key, structure, structureBytes }: Omit<SlideRecord, 'state' | 'createdAtMillis'>): Promise<void> {
    const operation = { kind: 'createSlide', slideId, consultationId, owner, structure: structureBytes, levels: structure.levels.length } as const
    await this.#change({ ...operation, key: JSON.stringify(key), createdAtMillis: Date.now() })
  }

  slide(slideId: SlideId): SlideRecord | undefined {
    return this.#parts.reader.slide(slideId)
  }

  slidesOf(consultationId: ConsultationId): readonly SlideRecord[] {
    return this.#parts.reader.slidesOf(consultationId)
  }

  async putLevel(slideId: SlideId, { level, index, head }: LevelRecord, chunks: readonly IndexedLength[]): Promise<void> {
    const hashes = Buffer.concat(chunks.map(({ sha256 }) => Buffer.from(sha256, 'hex')))
    await this.#change({ kind: 'putLevel', slideId, level, index, head, hashes, lengths: Float64Array.from(chunks, ({ length }) => length), room: this.#room + this.#puttingBytes })
  }

  level(slideId: SlideId, level: number): LevelRecord | undefined {
    return this.#parts.reader.level(slideId, level)
  }

  levels(slideId: SlideId): readonly number[] {
    return this.#parts.reader.levels(slideId)
  }

  putChunk(owner: MemberId, sha256: Sha256, body: Buffer): Promise<'stored' | 'known'> {
    const key = `${owner}/${sha256}`
    const under = this.#putting.get(key)
    if (under !== undefined) return under.then(() => 'known' as const)
    const put = this.#put(owner, sha256, body).finally(() => this.#putting.delete(key))
    this.#putting.set(key, put)
    return put
  }

  hasChunks(owner: MemberId, names: readonly Sha256[]): boolean[] {
    return this.#parts.reader.hasChunks(owner, names)
  }

  async readChunk(owner: MemberId, sha256: Sha256, offset: number, length: number): Promise<Buffer> {
    const { reader, packReader } = this.#parts
    for (let row = reader.chunk(owner, sha256), last: number | undefined; row?.pack != null && row.pack !== last; row = reader.chunk(owner, sha256)) {
      if (!Number.isInteger(offset) || !Number.isInteger(length) || offset < 0 || length < 0 || offset + length > row.length) throw new RelayFault('out_of_range', 'the chunk is shorter')
      const bytes = await packReader.read(row.pack, row.start + offset, length)
      if (bytes !== undefined) return bytes
      // It may have been moved to another pack meanwhile: then its row says so.
      last = row.pack
    }
    throw new RelayFault('not_found', 'the chunk is not here')
  }

  async completeSlide(slideId: SlideId, head: string): Promise<void> {
    await this.#change({ kind: 'completeSlide', slideId, head })
  }

  slideHead(slideId: SlideId): string | undefined {
    return this.#parts.reader.slideHead(slideId)
  }

  async deleteSlide(slideId: SlideId): Promise<void> {
    await this.#change({ kind: 'deleteSlide', slideId })
    await this.#sealEmptied()
    await this.#dropEmptyPacks()
    this.#reclaimLater()
  }

  async putDocument(slideId: SlideId, name: string, body: Buffer | undefined): Promise<void> {
    checkDocument(name, body)
    await this.#change({ kind: 'putDocument', slideId, name, body, room: this.#room })
  }

  document(slideId: SlideId, name: string): Buffer | undefined {
    return this.#parts.reader.document(slideId, name)
  }

  usage(): StoreUsage {
    return { ...this.#usage, quotaBytes: this.#options.quotaBytes }
  }

  watchChunks(listener: ChunkListener): Disposable {
    return this.#watch.add(listener)
  }

  async verify(onDefect: (defect: StoreDefect) => void, signal?: AbortSignal): Promise<{ readonly checked: number }> {
    // A chunk that is moved meanwhile would be checked in both places.
    await this.#background
    return verifyChunks({ reader: this.#parts.reader, packReader: this.#parts.packReader, drop: rows => this.#drop(rows) }, onDefect, signal)
  }

  /** Waits for what is under way. */
  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await this.#background
    await this.#committer[Symbol.asyncDispose]()
    await this.#parts.scope.disposeAsync()
  }

  /** Bytes that the quota has room for. */
  get #room(): number {
    return this.#options.quotaBytes - this.#usage.bytes - this.#puttingBytes
  }

  async #put(owner: MemberId, sha256: Sha256, body: Buffer): Promise<'stored' | 'known'> {
    if (this.#closing !== undefined) throw new RelayFault('unavailable', 'the store is closed')
    const row = this.#parts.reader.chunk(owner, sha256)
    if (row === undefined) throw new RelayFault('not_found', 'no slide refers to the chunk')
    if (row.pack !== null) return 'known'
    if (row.length !== body.length) throw new RelayFault('hash_mismatch', 'the chunk is of another length')
    if (body.length > this.#room) throw new RelayFault('quota_exceeded', 'the store has no room')
    this.#puttingBytes += body.length
    try {
      if (!(await this.#committer.add({ id: row.id, from: null, body }))) throw new RelayFault('not_found', 'no slide refers to the chunk')
    } finally {
      this.#puttingBytes -= body.length
    }
    this.#watch.tell(owner, sha256, true)
    return 'stored'
  }

  async #change(operation: MetadataOperation): Promise<OperationResult> {
    const result = await this.#parts.writer.submit(operation)
    this.#usage = { chunks: this.#usage.chunks + result.chunks, bytes: this.#usage.bytes + result.bytes }
    if (['completeSlide', 'deleteSlide', 'dropChunks'].includes(operation.kind)) this.#parts.reader.forgetSlides()
    return result
  }

  async #drop(rows: readonly ChunkRow[]): Promise<void> {
    await this.#change({ kind: 'dropChunks', ids: rows.map(({ id }) => id) })
    for (const { owner, sha256 } of rows) this.#watch.tell(owner, sha256, false)
  }

  #reclaimLater(): void {
    this.#background = this.#background.then(() => this.#reclaim()).catch((error: unknown) => {
      // It is tried again with the next deletion or opening; until then the room stays taken.
      this.#options.log.warn({ err: error }, 'slide packs were not reclaimed')
    })
  }

  /** Moves what is left in mostly empty packs to new ones, so that deletion gives room back. */
  async #reclaim(): Promise<void> {
    const { reader, packReader, packWriter } = this.#parts
    for (const row of reader.packs()) {
      const { id, live } = row
      if (id === packWriter.pack || live === 0 || !isMostlyEmpty(row)) continue
      const rows = reader.chunksOf(id)
      for (let at = 0; at < rows.length; at += MOVES) {
        await Promise.all(rows.slice(at, at + MOVES).map(async row => {
          const body = await packReader.read(id, row.start, row.length)
          if (body !== undefined) await this.#committer.add({ id: row.id, from: id, body })
        }))
      }
      if (this.#closing !== undefined) break
    }
    await this.#dropEmptyPacks()
  }

  /** The pack that is appended to is given back like any other when little of it is referred to. */
  async #sealEmptied(): Promise<void> {
    const { reader, packWriter } = this.#parts
    const current = reader.packs().find(({ id }) => id === packWriter.pack)
    if (current !== undefined && isMostlyEmpty(current)) await this.#committer.seal()
  }

  async #dropEmptyPacks(): Promise<void> {
    const { reader, packReader, packWriter, writer, directory } = this.#parts
    for (const { id, live } of reader.packs()) {
      if (live > 0 || id === packWriter.pack) continue
      // The row first: a file without one is deleted by the next opening. Chunks may be about to be placed in the pack; then it stays.
      const { taken } = await writer.submit({ kind: 'dropPack', pack: id })
      if (taken[0] !== true) continue
      await unlink(join(directory, packName(id))).catch(ignoreMissing)
      await packReader.forget(id)
    }
  }
}

const isMostlyEmpty = ({ live, size }: PackRow): boolean => live < size * LEAST_LIVE_SHARE

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
