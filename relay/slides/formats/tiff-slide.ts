import { RelayFault } from '../../wire/fault.ts'
import { columnsOf } from '../../wire/slide.ts'
import { hasTile } from '../../wire/tile-order.ts'
import { isAperio, readAperio } from './aperio.ts'
import { readGenericTiff } from './generic-tiff.ts'
import { mergeRanges } from './merge-ranges.ts'
import { isOme, readOmeTiff } from './ome-tiff.ts'
import { TILE_BATCH_BYTES } from './slide-reader.ts'
import { checkTile } from './tile-check.ts'
import { TiffFile } from './tiff-file.ts'
import { TAG } from './tiff-tags.ts'
import type { SlideFormat, SlideLevel } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'
import type { ByteSource } from './random-access-file.ts'
import type { AssociatedImage, SlideReader } from './slide-reader.ts'
import type { TiffDirectory } from './tiff-file.ts'
import type { TiffLevel } from './tiff-level.ts'
import type { TiffReading } from './tiff-pyramid.ts'

const EMPTY = Buffer.alloc(0)

/** A slide in a TIFF file. */
export class TiffSlide implements SlideReader {
  /** Every directory and value of the file, for de-identification. Closed with the slide. */
  readonly tiff: TiffFile
  readonly format: SlideFormat
  readonly levels: readonly SlideLevel[]
  readonly micronsPerPixel: SlideReader['micronsPerPixel']
  readonly objectivePower: number | undefined
  readonly scan: SlideReader['scan']
  readonly associated: readonly AssociatedImage[]
  readonly withheld: readonly string[]
  readonly #levels: readonly TiffLevel[]

  private constructor(tiff: TiffFile, reading: TiffReading) {
    this.tiff = tiff
    this.format = reading.format
    this.levels = reading.levels.map(({ shape }) => shape)
    this.micronsPerPixel = reading.micronsPerPixel
    this.objectivePower = reading.objectivePower
    this.scan = reading.scan
    this.associated = reading.associated
    this.withheld = reading.withheld
    this.#levels = reading.levels
  }

  /** Opens a file, or takes over a source that is open. @throws {RelayFault} as {@link openTiffSlide}. */
  static async open(from: string | ByteSource): Promise<TiffSlide> {
    await using scope = new AsyncDisposableStack()
    const tiff = scope.use(await TiffFile.open(from))
    const slide = new TiffSlide(tiff, await readFamily(tiff))
    scope.move()
    return slide
  }

  /** The directory that a level is read from. @throws {RelayFault} `out_of_range`. */
  directoryOf(level: number): TiffDirectory {
    return this.#level(level).directory
  }

  /** A tile that is not what its level says is refused, too: see `checkTile`. */
  async readTile(level: number, column: number, row: number): Promise<Buffer> {
    const { shape, table } = this.#level(level)
    const { offset, length } = await table.locate(indexOf(shape, { column, row }))
    if (length === 0) return Buffer.alloc(0)
    const tile = await this.tiff.source.read(offset, length)
    checkTile(tile, shape)
    return tile
  }

  /** Tiles that lie near each other in the file are read in one piece. */
  async readTiles(level: number, positions: readonly TilePosition[]): Promise<Buffer[]> {
    const { shape, table } = this.#level(level)
    const located = await table.locateAll(positions.map(position => indexOf(shape, position)))
    let bytes = 0
    const end = located.findIndex(({ length }, place) => (bytes += length) > TILE_BATCH_BYTES && place > 0)
    const ranges = end < 0 ? located : located.slice(0, end)
    const tiles: Buffer[] = ranges.map(() => EMPTY)
    for (const { offset, length, members } of mergeRanges(ranges)) {
      const piece = await this.tiff.source.read(offset, length)
      for (const member of members) {
        const { offset: at = 0, length: size = 0 } = ranges[member] ?? {}
        const tile = piece.subarray(at - offset, at - offset + size)
        checkTile(tile, shape)
        tiles[member] = tile
      }
    }
    return tiles
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tiff[Symbol.asyncDispose]()
  }

  #level(index: number): TiffLevel {
    const level = this.#levels[index]
    if (level === undefined) throw new RelayFault('out_of_range', 'no such level')
    return level
  }
}

/** Place of a tile in the tables of its level: row by row. @throws {RelayFault} `out_of_range`. */
function indexOf(shape: SlideLevel, position: TilePosition): number {
  if (!hasTile(shape, position)) throw new RelayFault('out_of_range', 'no such tile')
  return position.row * columnsOf(shape) + position.column
}

/**
 * Opens an Aperio, OME or generic tiled TIFF. Tile tables and tiles stay in the file until they are asked for.
 *
 * @throws {RelayFault} `unsupported_slide` for what is no TIFF, a vendor's variant of it, or has tiles that cannot be handed on as they are; `bad_slide` for a broken one.
 */
export const openTiffSlide = (path: string): Promise<TiffSlide> => TiffSlide.open(path)

async function readFamily(file: TiffFile): Promise<TiffReading> {
  const [first] = file.directories
  if (first === undefined) throw new Error('a TIFF has a directory')
  const start = await file.textStart(first, TAG.imageDescription, 4096)
  if (await isVariant(file, first, start)) throw new RelayFault('unsupported_slide', 'a variant of TIFF that only its own reader shows rightly')
  if (isAperio(start)) return readAperio(file)
  return isOme(start) ? readOmeTiff(file) : readGenericTiff(file)
}

/**
 * Variants that look like tiled TIFF but are put together otherwise: Hamamatsu NDPI (one JPEG per image, offsets beyond
 * 4 GiB), Leica SCN (areas on a glass), Ventana BIF (overlapping fields), Philips (padded levels), Trestle (overlaps).
 *
 * @see OpenSlide's pages on formats
 */
async function isVariant(file: TiffFile, first: TiffDirectory, description: string): Promise<boolean> {
  if (first.entries.has(TAG.ndpiFormat) || description.includes('http://www.leica-microsystems.com/scn')) return true
  if (/^(Philips|MedScan)/.test(await file.textStart(first, TAG.software, 64))) return true
  return /<iScan\b/.test((await file.textStart(first, TAG.xmp, 65_536)) + description)
}
