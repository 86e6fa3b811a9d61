import { RelayFault } from '../../wire/fault.ts'
import { hasRange, RandomAccessFile } from './random-access-file.ts'
import { TAG, TYPE_BYTES } from './tiff-tags.ts'
import type { ByteSource } from './random-access-file.ts'

/** Bounds of what a file may announce; a slide of 64 levels, or an OME-TIFF of a thousand planes, is well within. */
export const TIFF_LIMITS = {
  directories: 2048,
  /** Of the whole file. */
  entries: 65_536,
  /** SubIFDs within SubIFDs. */
  depth: 4,
  /** Of one value. */
  valueBytes: 64 * 1024 * 1024,
  /** Numbers of one value that are not tile tables. */
  numbers: 4096,
} as const

/** One field of a directory. */
export interface TiffEntry {
  readonly tag: number
  /** Number of the field type, 1 (BYTE) to 18 (IFD8); others are possible. @see TIFF 6.0 section 2 */
  readonly type: number
  readonly count: number
  /** Where its value is in the file, and how long. May lie outside of the file: reading it then fails. */
  readonly offset: number
  readonly byteLength: number
}

/** One image of the file. */
export interface TiffDirectory {
  /** In the file. */
  readonly offset: number
  readonly entries: ReadonlyMap<number, TiffEntry>
  /** Its SubIFDs. @see TIFF Technical Note 1 */
  readonly children: readonly TiffDirectory[]
}

interface Layout {
  readonly isBig: boolean
  readonly isLittleEndian: boolean
  readonly firstDirectory: number
}

const bad = (message: string): RelayFault => new RelayFault('bad_slide', `TIFF: ${message}`)
/** Directories are small and stand together: most are read whole at the first go. */
const READ_AHEAD_BYTES = 4096

/** A classic TIFF or BigTIFF of either byte order. All directories are read when it is opened, values when they are asked for. */
export class TiffFile implements AsyncDisposable {
  readonly source: ByteSource
  readonly isBig: boolean
  readonly isLittleEndian: boolean
  #directories: readonly TiffDirectory[] = []
  readonly #seen = new Set<number>()
  #entries = 0

  private constructor(source: ByteSource, { isBig, isLittleEndian }: Layout) {
    this.source = source
    this.isBig = isBig
    this.isLittleEndian = isLittleEndian
  }

  /**
   * Opens a file, or takes over a source that is open.
   *
   * @throws {RelayFault} `unsupported_slide` when it is no TIFF; `bad_slide` when its directories are cut off, cyclic or too many.
   */
  static async open(from: string | ByteSource): Promise<TiffFile> {
    await using scope = new AsyncDisposableStack()
    const source = scope.use(typeof from === 'string' ? await RandomAccessFile.open(from) : from)
    const layout = readLayout(await source.read(0, Math.min(16, source.size)))
    if (layout === undefined) throw new RelayFault('unsupported_slide', 'not a TIFF')
    const file = new TiffFile(source, layout)
    file.#directories = await file.#chain(layout.firstDirectory)
    if (file.#directories.length === 0) throw bad('it has no image')
    scope.move()
    return file
  }

  /** The main chain, in order. */
  get directories(): readonly TiffDirectory[] {
    return this.#directories
  }

  /** Every directory of the file, each followed by its SubIFDs. */
  *all(directories: readonly TiffDirectory[] = this.#directories): Generator<TiffDirectory> {
    for (const directory of directories) {
      yield directory
      yield* this.all(directory.children)
    }
  }

  /** The bytes of a value as they are in the file. @throws {RelayFault} `bad_slide` when they are cut off, or more than a value may have. */
  async raw(entry: TiffEntry): Promise<Buffer> {
    if (entry.byteLength > TIFF_LIMITS.valueBytes) throw bad('a value is too long')
    return this.source.read(entry.offset, entry.byteLength)
  }

  /** A value of whole numbers; empty where the directory has no such tag. @throws {RelayFault} `bad_slide` for other types, cut-off and too many values. */
  async numbers(directory: TiffDirectory, tag: number): Promise<number[]> {
    const entry = directory.entries.get(tag)
    if (entry === undefined) return []
    if (entry.count > TIFF_LIMITS.numbers) throw bad('too many numbers in a value')
    const bytes = await this.raw(entry)
    return Array.from({ length: entry.count }, (_, index) => this.integerAt(bytes, entry.type, index))
  }

  /** The first number of a value. */
  async number(directory: TiffDirectory, tag: number): Promise<number | undefined> {
    return (await this.numbers(directory, tag))[0]
  }

  /** A RATIONAL; undefined where the directory has none, or its denominator is 0. */
  async rational(directory: TiffDirectory, tag: number): Promise<number | undefined> {
    const entry = directory.entries.get(tag)
    if (entry?.type !== 5 || entry.count !== 1) return undefined
    const bytes = await this.raw(entry)
    const [numerator, denominator] = [this.#uint32(bytes, 0), this.#uint32(bytes, 4)]
    return denominator === 0 ? undefined : numerator / denominator
  }

  /** An ASCII value up to its last NUL, read as UTF-8; empty where the directory has none. @param most - In bytes. @throws {RelayFault} `bad_slide` when it is longer. */
  async text(directory: TiffDirectory, tag: number, most: number): Promise<string> {
    const entry = directory.entries.get(tag)
    if (entry === undefined || (entry.type !== 2 && entry.type !== 1 && entry.type !== 7)) return ''
    if (entry.byteLength > most) throw bad('a text is too long')
    return (await this.raw(entry)).toString('utf8').replace(/\0+$/, '')
  }

  /** The beginning of an ASCII or byte value, at most so many bytes. */
  async textStart(directory: TiffDirectory, tag: number, most: number): Promise<string> {
    const entry = directory.entries.get(tag)
    return entry === undefined ? '' : (await this.source.read(entry.offset, Math.min(most, entry.byteLength))).toString('utf8')
  }

  /** One whole number of a value's bytes. @throws {RelayFault} `bad_slide` for a type that is none, and for more than 2^53. */
  integerAt(bytes: Buffer, type: number, index: number): number {
    switch (type) {
      case 1:
        return bytes.readUInt8(index)
      case 3:
        return this.#uint16(bytes, 2 * index)
      case 4:
      case 13:
        return this.#uint32(bytes, 4 * index)
      case 16:
      case 18:
        return this.#uint64(bytes, 8 * index)
      default:
        throw bad('a number of another type')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]()
  }

  /** All directories from one on, with their SubIFDs. */
  async #chain(first: number, depth = 0): Promise<TiffDirectory[]> {
    const found: TiffDirectory[] = []
    for (let offset = first; offset !== 0;) {
      const { entries, next } = await this.#directoryAt(offset)
      found.push({ offset, entries, children: await this.#childrenOf(entries, depth) })
      offset = next
    }
    return found
  }

  async #childrenOf(entries: ReadonlyMap<number, TiffEntry>, depth: number): Promise<TiffDirectory[]> {
    if (!entries.has(TAG.subIfds)) return []
    if (depth === TIFF_LIMITS.depth) throw bad('SubIFDs within SubIFDs')
    const children: TiffDirectory[] = []
    for (const offset of await this.numbers({ offset: 0, entries, children }, TAG.subIfds)) {
      if (offset !== 0) children.push(...(await this.#chain(offset, depth + 1)))
    }
    return children
  }

  async #directoryAt(offset: number): Promise<{ entries: Map<number, TiffEntry>; next: number }> {
    if (this.#seen.has(offset)) throw bad('directories in a circle')
    this.#seen.add(offset)
    if (this.#seen.size > TIFF_LIMITS.directories) throw bad('too many directories')
    const [countBytes, entryBytes, nextBytes] = this.isBig ? [8, 20, 8] : [2, 12, 4]
    if (!hasRange(this.source, offset, countBytes)) throw bad('a directory outside of the file')
    const ahead = await this.source.read(offset, Math.min(READ_AHEAD_BYTES, this.source.size - offset))
    const count = this.isBig ? this.#uint64(ahead, 0) : this.#uint16(ahead, 0)
    this.#entries += count
    if (this.#entries > TIFF_LIMITS.entries) throw bad('too many fields')
    const length = countBytes + count * entryBytes + nextBytes
    const bytes = length <= ahead.length ? ahead : await this.source.read(offset, length)
    const entries = new Map<number, TiffEntry>()
    for (let index = 0; index < count; index++) {
      const at = countBytes + index * entryBytes
      const entry = this.#entryAt(bytes, at, offset + at)
      // The same tag twice would let two readers see two pictures.
      if (entries.has(entry.tag)) throw bad('a tag twice in one directory')
      entries.set(entry.tag, entry)
    }
    return { entries, next: this.isBig ? this.#uint64(bytes, length - nextBytes) : this.#uint32(bytes, length - nextBytes) }
  }

  #entryAt(bytes: Buffer, at: number, inFile: number): TiffEntry {
    const [tag, type] = [this.#uint16(bytes, at), this.#uint16(bytes, at + 2)]
    const count = this.isBig ? this.#uint64(bytes, at + 4) : this.#uint32(bytes, at + 4)
    const byteLength = count * (TYPE_BYTES[type] ?? 0)
    const [room, valueAt] = this.isBig ? [8, 12] : [4, 8]
    if (byteLength <= room) return { tag, type, count, offset: inFile + valueAt, byteLength }
    return { tag, type, count, offset: this.isBig ? this.#uint64(bytes, at + valueAt) : this.#uint32(bytes, at + valueAt), byteLength }
  }

  #uint16(bytes: Buffer, at: number): number {
    return this.isLittleEndian ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)
  }

  #uint32(bytes: Buffer, at: number): number {
    return this.isLittleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)
  }

  #uint64(bytes: Buffer, at: number): number {
    const [low, high] = this.isLittleEndian ? [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)] : [bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at)]
    const value = high * 0x1_0000_0000 + low
    if (!Number.isSafeInteger(value)) throw bad('a number beyond 2^53')
    return value
  }
}

/** Byte order, kind and where the first directory is; undefined for what is no TIFF. */
function readLayout(head: Buffer): Layout | undefined {
  const order = head.toString('latin1', 0, 2)
  if ((order !== 'II' && order !== 'MM') || head.length < 8) return undefined
  const isLittleEndian = order === 'II'
  const uint16 = (at: number): number => (isLittleEndian ? head.readUInt16LE(at) : head.readUInt16BE(at))
  const uint32 = (at: number): number => (isLittleEndian ? head.readUInt32LE(at) : head.readUInt32BE(at))
  if (uint16(2) === 42) return { isBig: false, isLittleEndian, firstDirectory: uint32(4) }
  if (uint16(2) !== 43 || head.length < 16 || uint16(4) !== 8 || uint16(6) !== 0) return undefined
  const [low, high] = isLittleEndian ? [uint32(8), uint32(12)] : [uint32(12), uint32(8)]
  return { isBig: true, isLittleEndian, firstDirectory: high * 0x1_0000_0000 + low }
}

/** Whether a file begins as a TIFF does. @param head - Its first 16 bytes. */
export const isTiff = (head: Buffer): boolean => readLayout(head) !== undefined
