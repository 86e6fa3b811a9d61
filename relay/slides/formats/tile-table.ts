import { RelayFault } from '../../wire/fault.ts'
import { SLIDE_LIMITS } from '../../wire/slide.ts'
import { hasRange } from './random-access-file.ts'
import { TAG, TYPE_BYTES } from './tiff-tags.ts'
import type { TiffDirectory, TiffEntry, TiffFile } from './tiff-file.ts'

/** How many times its own size a file's tiles may add up to, for files that share one blank tile among many places. */
const MOST_SHARING = 16
const TABLE_TYPES = new Set([3, 4, 16])

/** Where a tile's bytes are. */
export interface TileRange {
  /** In the file. */
  readonly offset: number
  /** In bytes; 0 where the format leaves the tile out. */
  readonly length: number
}

const bad = (message: string): RelayFault => new RelayFault('bad_slide', `TIFF: ${message}`)

/** Offsets and lengths of the tiles of one directory. They stay in the file until the first is asked for, and then are kept as they are stored. */
export class TileTable {
  readonly #file: TiffFile
  readonly #offsets: TiffEntry
  readonly #lengths: TiffEntry
  readonly #tiles: number
  #loaded: Promise<{ readonly offsets: Buffer; readonly lengths: Buffer }> | undefined

  /** @throws {RelayFault} `bad_slide` when the directory has no tables for so many tiles. */
  constructor(file: TiffFile, { entries }: TiffDirectory, tiles: number) {
    const [offsets, lengths] = [entries.get(TAG.tileOffsets), entries.get(TAG.tileByteCounts)]
    if (offsets === undefined || lengths === undefined || !TABLE_TYPES.has(offsets.type) || !TABLE_TYPES.has(lengths.type)) throw bad('no tile tables')
    if (tiles > SLIDE_LIMITS.tiles || offsets.count !== tiles || lengths.count !== tiles) throw bad('another number of tiles than the image needs')
    for (const table of [offsets, lengths]) if (!hasRange(file.source, table.offset, table.byteLength)) throw bad('a tile table outside of the file')
    this.#file = file
    this.#offsets = offsets
    this.#lengths = lengths
    this.#tiles = tiles
  }

  /** @param index - In the order of the file: row by row. @throws {RelayFault} `bad_slide` when a tile lies outside of the file, is too long, or tiles overlap. */
  async locate(index: number): Promise<TileRange> {
    this.#loaded ??= this.#load()
    const { offsets, lengths } = await this.#loaded
    return this.#range(offsets, lengths, index)
  }

  /** As {@link locate}, of many. @throws {RelayFault} As {@link locate}. */
  async locateAll(indices: readonly number[]): Promise<TileRange[]> {
    this.#loaded ??= this.#load()
    const { offsets, lengths } = await this.#loaded
    return indices.map(index => this.#range(offsets, lengths, index))
  }

  /** The first tile that is there, read without the rest of the tables; undefined if none of the first hundred is. */
  async first(): Promise<TileRange | undefined> {
    const count = Math.min(100, this.#tiles)
    const head = (entry: TiffEntry): Promise<Buffer> => this.#file.source.read(entry.offset, count * (TYPE_BYTES[entry.type] ?? 0))
    const [offsets, lengths] = [await head(this.#offsets), await head(this.#lengths)]
    for (let index = 0; index < count; index++) {
      const range = this.#range(offsets, lengths, index)
      if (range.length > 0) return range
    }
    return undefined
  }

  #range(offsets: Buffer, lengths: Buffer, index: number): TileRange {
    const length = this.#file.integerAt(lengths, this.#lengths.type, index)
    const offset = this.#file.integerAt(offsets, this.#offsets.type, index)
    if (length === 0 || offset === 0) return { offset: 0, length: 0 }
    if (length > SLIDE_LIMITS.tileBytes) throw bad('a tile is too long')
    if (!hasRange(this.#file.source, offset, length)) throw bad('a tile outside of the file')
    return { offset, length }
  }

  async #load(): Promise<{ readonly offsets: Buffer; readonly lengths: Buffer }> {
    const offsets = await this.#file.source.read(this.#offsets.offset, this.#offsets.byteLength)
    const lengths = await this.#file.source.read(this.#lengths.offset, this.#lengths.byteLength)
    this.#checkOverlaps(offsets, lengths)
    return { offsets, lengths }
  }

  /** Tiles that overlap without being the same would let a small file become an endless slide. */
  #checkOverlaps(offsets: Buffer, lengths: Buffer): void {
    let [total, end, isAscending] = [0, 0, true]
    for (let index = 0; index < this.#tiles; index++) {
      const { offset, length } = this.#range(offsets, lengths, index)
      if (length === 0) continue
      total += length
      isAscending &&= offset >= end
      end = offset + length
    }
    if (total > MOST_SHARING * this.#file.source.size) throw bad('its tiles overlap')
    if (!isAscending) this.#checkSorted(offsets, lengths)
  }

  #checkSorted(offsets: Buffer, lengths: Buffer): void {
    // Offset and length in one number each, so that they sort natively: a tile's length takes 25 bits.
    const ranges = new BigUint64Array(this.#tiles)
    for (let index = 0; index < this.#tiles; index++) {
      const { offset, length } = this.#range(offsets, lengths, index)
      if (offset >= 2 ** 39) throw bad('a file too long to check')
      ranges[index] = (BigInt(offset) << 25n) | BigInt(length)
    }
    ranges.sort()
    let previous = 0n
    let end = 0
    for (const range of ranges) {
      if (range === previous || (range & 0x1ff_ffffn) === 0n) continue
      const offset = Number(range >> 25n)
      if (offset < end) throw bad('its tiles overlap')
      end = offset + Number(range & 0x1ff_ffffn)
      previous = range
    }
  }
}
