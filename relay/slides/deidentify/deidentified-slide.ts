import { columnsOf, rowsOf, tilesOf } from '../../wire/slide.ts'
import { ordinalOf } from '../../wire/tile-order.ts'
import { readManyTiles } from '../formats/slide-reader.ts'
import { cleanTile } from './clean-tile.ts'
import { deidentify } from './deidentify.ts'
import { RemovalList } from './removal-list.ts'
import type { Removal, SlideStructure } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'
import type { SlideReader } from '../formats/slide-reader.ts'
import type { DeidentifyOptions } from './deidentify.ts'

/** A slide as it may leave: nothing can be read through it that names somebody, but for the pixels. Owns the reader. */
export class DeidentifiedSlide implements AsyncDisposable {
  readonly structure: SlideStructure
  readonly #reader: SlideReader
  readonly #cut = new RemovalList()
  /** Tiles that something was cut out of, by level: one bit each, so that reading again counts once. */
  readonly #counted = new Map<number, Uint8Array>()

  /**
   * Looks at the middle tile of each level first, so that the structure lists what all tiles of a level are likely to
   * have: programs write the same segments into each.
   *
   * @throws {RelayFault} As {@link deidentify} and the reader.
   */
  static async open(reader: SlideReader, options: DeidentifyOptions): Promise<DeidentifiedSlide> {
    const inTiles = new Map<string, number>()
    for (const [level, shape] of reader.levels.entries()) {
      if (shape.isMade) continue
      const tile = await reader.readTile(level, columnsOf(shape) >> 1, rowsOf(shape) >> 1)
      for (const place of cleanTile(tile, shape.encoding.compression).cut.keys()) inTiles.set(place, (inTiles.get(place) ?? 0) + 1)
    }
    return new DeidentifiedSlide(reader, { ...options, inTiles })
  }

  /** Without a look at tiles. @throws {RelayFault} As {@link deidentify}. */
  constructor(reader: SlideReader, options: DeidentifyOptions) {
    this.structure = deidentify(reader, options)
    this.#reader = reader
  }

  /** The bytes of a tile without what is no picture. Empty where the format leaves a tile out. @throws {RelayFault} `bad_slide`, `out_of_range`. */
  async readTile(level: number, position: TilePosition): Promise<Buffer> {
    return this.#clean(level, position, await this.#reader.readTile(level, position.column, position.row))
  }

  /** As {@link readTile}, of many tiles. @returns The first of them, one at least. */
  async readTiles(level: number, positions: readonly TilePosition[]): Promise<Buffer[]> {
    const tiles = await readManyTiles(this.#reader, level, positions)
    return tiles.map((tile, place) => this.#clean(level, positions[place] ?? { column: 0, row: 0 }, tile))
  }

  #clean(level: number, position: TilePosition, tile: Buffer): Buffer {
    const shape = this.structure.levels[level]
    if (shape === undefined) throw new Error('the reader read a level that it does not have')
    const { bytes, cut } = cleanTile(tile, shape.encoding.compression)
    if (cut.size > 0 && this.#isFirst(level, tilesOf(shape), ordinalOf(shape, position))) for (const [place, count] of cut) this.#cut.add(`${place} in tiles`, 'removed', count)
    return bytes
  }

  /** What was cut out of the tiles that were read so far. */
  get cutFromTiles(): readonly Removal[] {
    return this.#cut.list
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]()
  }

  #isFirst(level: number, tiles: number, ordinal: number): boolean {
    const counted = this.#counted.get(level) ?? new Uint8Array(Math.ceil(tiles / 8))
    this.#counted.set(level, counted)
    const [byte, bit] = [ordinal >> 3, 1 << (ordinal & 7)]
    const isFirst = ((counted[byte] ?? 0) & bit) === 0
    counted[byte] = (counted[byte] ?? 0) | bit
    return isFirst
  }
}
