import { RelayFault } from '../../wire/fault.ts'
import { SLIDE_LIMITS, SlideLevel, tilesOf } from '../../wire/slide.ts'
import { jpegSegments } from '../../wire/tile-jpeg.ts'
import { checkTile } from './tile-check.ts'
import { TileTable } from './tile-table.ts'
import { COMPRESSION, TAG } from './tiff-tags.ts'
import type { TileEncoding } from '../../wire/slide.ts'
import type { TiffDirectory, TiffFile } from './tiff-file.ts'

/** A directory whose tiles can be handed on as they are. */
export interface TiffLevel {
  readonly directory: TiffDirectory
  readonly shape: SlideLevel
  readonly table: TileTable
  /** Segments of its JPEG tables that were no tables, such as comments, and are left out of `shape`. */
  readonly strayTables: number
}

/** Numbers of PhotometricInterpretation. @see TIFF 6.0 section 8 and 21 */
const PHOTOMETRIC = { blackIsZero: 1, rgb: 2, ycbcr: 6 } as const

const unsupported = (message: string): RelayFault => new RelayFault('unsupported_slide', `TIFF: ${message}`)

/** Whether a directory is stored in tiles. */
export const isTiled = ({ entries }: TiffDirectory): boolean => entries.has(TAG.tileWidth) && entries.has(TAG.tileOffsets)

/** Width and height of a directory's image; 0 where it does not say. */
export async function sizeOf(file: TiffFile, directory: TiffDirectory): Promise<{ readonly width: number; readonly height: number }> {
  return { width: (await file.number(directory, TAG.imageWidth)) ?? 0, height: (await file.number(directory, TAG.imageLength)) ?? 0 }
}

/**
 * Reads a directory as a level, and its first tile for whether it is what the directory says.
 *
 * @throws {RelayFault} `unsupported_slide` when its tiles cannot be handed on as they are: not tiled, other compressions, other than 8 bits,
 *   separate planes, turned; `bad_slide` when sizes and tables contradict each other.
 */
export async function readTiffLevel(file: TiffFile, directory: TiffDirectory): Promise<TiffLevel> {
  if (!isTiled(directory)) throw unsupported('an image that is not stored in tiles')
  const [tileWidth, tileHeight] = [await file.number(directory, TAG.tileWidth), await file.number(directory, TAG.tileLength)]
  const { encoding, strayTables } = await readEncoding(file, directory)
  const shape = SlideLevel.safeParse({ ...(await sizeOf(file, directory)), tileWidth, tileHeight, encoding, isMade: false })
  if (!shape.success) throw new RelayFault('bad_slide', 'TIFF: an image of no possible size')
  if (tilesOf(shape.data) > SLIDE_LIMITS.tiles) throw new RelayFault('bad_slide', 'TIFF: too many tiles')
  const table = new TileTable(file, directory, tilesOf(shape.data))
  const first = await table.first()
  if (first !== undefined) checkTile(await file.source.read(first.offset, first.length), shape.data)
  return { directory, shape: shape.data, table, strayTables }
}

interface Encoded {
  readonly encoding: TileEncoding
  readonly strayTables: number
}

async function readEncoding(file: TiffFile, directory: TiffDirectory): Promise<Encoded> {
  await checkSamples(file, directory)
  const photometric = photometricOf(await file.number(directory, TAG.photometric), (await file.number(directory, TAG.samplesPerPixel)) ?? 1)
  const jpeg2000 = (colours: TileEncoding['photometric']): Encoded => ({ encoding: { compression: 'jpeg2000', photometric: colours, tables: '' }, strayTables: 0 })
  switch ((await file.number(directory, TAG.compression)) ?? 1) {
    case COMPRESSION.jpeg: {
      const { tables, strayTables } = await readTables(file, directory)
      return { encoding: { compression: 'jpeg', photometric, tables }, strayTables }
    }
    case COMPRESSION.aperioYcbcr:
      return jpeg2000('ycbcr')
    case COMPRESSION.aperioRgb:
      return jpeg2000('rgb')
    case COMPRESSION.jpeg2000:
      return jpeg2000(photometric)
    default:
      throw unsupported('a compression that cannot be handed on')
  }
}

async function checkSamples(file: TiffFile, directory: TiffDirectory): Promise<void> {
  const bits = await file.numbers(directory, TAG.bitsPerSample)
  if (bits.length === 0 || bits.some(value => value !== 8)) throw unsupported('samples of other than 8 bits')
  if ((await file.numbers(directory, TAG.sampleFormat)).some(format => format !== 1)) throw unsupported('samples that are no whole numbers')
  if (((await file.number(directory, TAG.planarConfiguration)) ?? 1) !== 1) throw unsupported('colours in separate planes')
  if (((await file.number(directory, TAG.orientation)) ?? 1) !== 1) throw unsupported('a turned image')
}

function photometricOf(value: number | undefined, samples: number): TileEncoding['photometric'] {
  if (value === PHOTOMETRIC.blackIsZero && samples === 1) return 'grey'
  if (value === PHOTOMETRIC.rgb && samples === 3) return 'rgb'
  if (value === PHOTOMETRIC.ycbcr && samples === 3) return 'ycbcr'
  throw unsupported('other colours than RGB, YCbCr and grey')
}

/** Markers of what tables are for: Huffman and quantisation tables, and the restart interval. @see ITU-T T.81 section B.5 */
const TABLE_MARKERS = new Set([0xc4, 0xdb, 0xdd])

async function readTables(file: TiffFile, { entries }: TiffDirectory): Promise<{ readonly tables: string; readonly strayTables: number }> {
  const entry = entries.get(TAG.jpegTables)
  if (entry === undefined) return { tables: '', strayTables: 0 }
  if (entry.byteLength * 1.4 > SLIDE_LIMITS.tables) throw new RelayFault('bad_slide', 'TIFF: JPEG tables are too long')
  const bytes = await file.raw(entry)
  const segments = jpegSegments(bytes)
  const kept = segments.filter(({ marker }) => TABLE_MARKERS.has(marker)).map(({ start, end }) => bytes.subarray(start, end))
  const tables = Buffer.concat([Buffer.of(0xff, 0xd8), ...kept, Buffer.of(0xff, 0xd9)]).toString('base64')
  return { tables, strayTables: segments.length - kept.length }
}
