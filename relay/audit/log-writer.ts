import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FolderLock } from '../runtime/folder-lock.ts'
import { RelayFault } from '../wire/fault.ts'
import type { Sha256 } from '../wire/ids.ts'
import { systemAuditDisk } from './audit-disk.ts'
import { entryLine, headerLine, headLine, hexPeaks, keyName, NO_ENTRY, segmentFile, segmentNumbers, signHead } from './log-lines.ts'
import { TreeFrontier } from './merkle-tree.ts'
import { recoverSegment } from './segment-recovery.ts'
import type { KeyObject } from 'node:crypto'
import type { AuditEvent, AuditReceipt } from '../wire/audit-event.ts'
import type { AuditDisk, AuditFile } from './audit-disk.ts'
import type { SignedHead } from './log-lines.ts'

/** A segment takes no more once it has so many entries, or is so long. One write may go past it. */
export interface SegmentLimits {
  readonly entries: number
  readonly bytes: number
}

const SEGMENT_LIMITS: SegmentLimits = { entries: 65_536, bytes: 64 * 1024 * 1024 }

/** How a {@link LogWriter} is opened. */
export interface LogWriterOptions {
  readonly directory: string
  /** Private, Ed25519. */
  readonly key: KeyObject
  /** Milliseconds since the epoch. */
  readonly nowMillis: () => number
  readonly segment?: SegmentLimits
  readonly disk?: AuditDisk
}

/** The segment that is written to. */
interface OpenSegment {
  readonly path: string
  readonly file: AuditFile
  readonly number: number
  readonly firstSequence: number
  length: number
}

/** A write, and what is true once it is on disk. */
interface Prepared {
  readonly tree: TreeFrontier
  readonly previous: Sha256
  readonly head: SignedHead
  readonly receipts: readonly AuditReceipt[]
  readonly bytes: Buffer
}

/** Writes entries with a signed head at the end of each write. The only one that writes to its folder. */
export class LogWriter {
  readonly #options: LogWriterOptions
  readonly #disk: AuditDisk
  readonly #keyName: Sha256
  readonly #lock: FolderLock
  #tree: TreeFrontier
  #previous: Sha256
  #head: SignedHead | undefined
  #segment: OpenSegment | undefined
  #nextNumber: number
  /** Why nothing can be written any more: what is on disk is not known. */
  #broken: unknown

  private constructor(options: LogWriterOptions, lock: FolderLock, end: FoundEnd | undefined) {
    this.#options = options
    this.#disk = options.disk ?? systemAuditDisk
    this.#keyName = keyName(options.key)
    this.#lock = lock
    this.#tree = end?.tree ?? new TreeFrontier()
    this.#previous = end?.previous ?? NO_ENTRY
    this.#head = end?.head
    this.#segment = end?.segment
    this.#nextNumber = end === undefined ? 0 : end.segment.number + 1
  }

  /**
   * @returns The writer, and how many bytes of an unfinished write were moved aside, into `torn-…`.
   * @throws {RelayFault} `conflict`, `bad_audit_log`; `not_recorded` when the folder cannot be used.
   */
  static async open(options: LogWriterOptions): Promise<{ readonly writer: LogWriter; readonly cutBytes: number }> {
    const { directory } = options
    let lock: FolderLock | undefined
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      lock = new FolderLock(join(directory, 'lock'), 'the audit log')
      const { end, cutBytes } = await findEnd(options)
      return { writer: new LogWriter(options, lock, end), cutBytes }
    } catch (error) {
      lock?.[Symbol.dispose]()
      throw error instanceof RelayFault ? error : new RelayFault('not_recorded', 'the folder of the audit log cannot be used', { cause: error })
    }
  }

  /** Of everything written. */
  get head(): SignedHead | undefined {
    return this.#head
  }

  /**
   * Writes events; settles when they are on disk for good. One call after the other.
   *
   * @throws the system's error; then none of them is in the log.
   */
  async write(events: readonly AuditEvent[]): Promise<{ readonly receipts: readonly AuditReceipt[]; readonly bytes: number }> {
    if (this.#broken !== undefined) throw this.#broken as Error
    const { segment = SEGMENT_LIMITS } = this.#options
    const open = this.#segment
    const isFull = open !== undefined && (this.#tree.size - open.firstSequence >= segment.entries || open.length >= segment.bytes)
    return open === undefined || isFull ? this.#writeNew(open, events) : this.#append(open, events)
  }

  async close(): Promise<void> {
    await this.#segment?.file.close().catch(() => undefined)
    this.#broken ??= new Error('the audit log is closed')
    this.#lock[Symbol.dispose]()
  }

  async #append(segment: OpenSegment, events: readonly AuditEvent[]) {
    const prepared = this.#prepare(events, '')
    const { bytes } = prepared
    try {
      await segment.file.append(bytes)
    } catch (error) {
      await segment.file.truncate(segment.length).catch((cause: unknown) => (this.#broken = cause))
      throw error
    }
    await this.#sync(segment.file)
    segment.length += bytes.length
    return this.#written(prepared)
  }

  /** Begins the next segment. Only with its first entries on disk the one before is left. */
  async #writeNew(full: OpenSegment | undefined, events: readonly AuditEvent[]) {
    const number = this.#nextNumber
    const firstSequence = this.#tree.size
    const path = join(this.#options.directory, segmentFile(number))
    const header = headerLine({ version: 1, number, firstSequence, previous: this.#previous, peaks: hexPeaks(this.#tree.peaks) })
    const prepared = this.#prepare(events, `${header}\n`)
    const file = await this.#disk.create(path)
    try {
      await file.append(prepared.bytes)
    } catch (error) {
      await file.close().catch(() => undefined)
      await this.#disk.remove(path).catch((cause: unknown) => (this.#broken = cause))
      throw error
    }
    await this.#sync(file)
    this.#segment = { path, file, number, firstSequence, length: prepared.bytes.length }
    this.#nextNumber++
    await full?.file.close().catch(() => undefined)
    return this.#written(prepared)
  }

  /** After a failed `fsync` nobody knows what is on disk, and a second one may succeed without having written anything. */
  async #sync(file: AuditFile): Promise<void> {
    try {
      await file.sync()
    } catch (error) {
      this.#broken = error
      throw error
    }
  }

  #prepare(events: readonly AuditEvent[], before: string): Prepared {
    const tree = this.#tree.copy()
    const recordedAtMillis = this.#options.nowMillis()
    let previous = this.#previous
    const receipts: AuditReceipt[] = []
    let text = before
    for (const event of events) {
      const sequence = tree.size
      const { line, leaf } = entryLine({ sequence, recordedAtMillis, previous, event })
      tree.append(leaf)
      previous = leaf.toString('hex') as Sha256
      receipts.push({ sequence, leaf: previous })
      text += `${line}\n`
    }
    const head = signHead({ size: tree.size, root: tree.root(), timestampMillis: recordedAtMillis }, this.#options.key, this.#keyName)
    return { tree, previous, head, receipts, bytes: Buffer.from(`${text}${headLine(head)}\n`) }
  }

  #written({ tree, previous, head, receipts, bytes }: Prepared) {
    this.#tree = tree
    this.#previous = previous
    this.#head = head
    return { receipts, bytes: bytes.length }
  }
}

interface FoundEnd {
  readonly tree: TreeFrontier
  readonly previous: Sha256
  readonly head: SignedHead
  readonly segment: OpenSegment
}

async function findEnd({ directory, key, disk = systemAuditDisk, nowMillis }: LogWriterOptions): Promise<{ readonly end: FoundEnd | undefined; readonly cutBytes: number }> {
  let cutBytes = 0
  for (const number of segmentNumbers(await readdir(directory)).reverse()) {
    const path = join(directory, segmentFile(number))
    const aside = join(directory, `torn-${String(number).padStart(6, '0')}-${nowMillis()}`)
    const bytes = await readFile(path)
    const found = recoverSegment(bytes, key)
    cutBytes += bytes.length - (found?.length ?? 0)
    if (found === undefined) {
      // The beginning of a segment that was never finished: the one before is the newest.
      await rename(path, aside)
      continue
    }
    if (found.header.number !== number) throw new RelayFault('bad_audit_log', 'a segment of the audit log has another one\'s name')
    const file = await disk.reopen(path)
    if (bytes.length > found.length) {
      await writeFile(aside, bytes.subarray(found.length), { mode: 0o600, flag: 'wx', flush: true })
      await file.truncate(found.length)
    }
    const { tree, previous, head, header, length } = found
    return { end: { tree, previous, head, segment: { path, file, number, firstSequence: header.firstSequence, length } }, cutBytes }
  }
  return { end: undefined, cutBytes }
}
