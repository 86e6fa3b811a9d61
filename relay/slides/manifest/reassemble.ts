import { rename, rm } from 'node:fs/promises'
import { RelayFault } from '../../wire/fault.ts'
import { columnsOf, SLIDE_LIMITS, tilesOf } from '../../wire/slide.ts'
import { tileAt } from '../../wire/tile-order.ts'
import { TiffWriter } from '../formats/tiff-writer.ts'
import type { SlideLevel, SlideStructure, TileEncoding } from '../../wire/slide.ts'
import type { TiffField } from '../formats/tiff-writer.ts'

/** Gives the stored bytes of a tile; empty where there is none. */
export type TileSource = (level: number, column: number, row: number) => Promise<Buffer>

/** How a slide is reassembled. */
export interface ReassembleOptions {
  readonly signal?: AbortSignal
  /** Called after each tile, with tiles written and tiles in all. */
  readonly onProgress?: (tiles: number, all: number) => void
}

/** TIFF tags. @see TIFF 6.0, and TIFF Technical Note 2 for 347 */
const TAG = {
  subfileType: 254, width: 256, height: 257, bitsPerSample: 258, compression: 259, photometric: 262, imageDescription: 270, samplesPerPixel: 277,
  xResolution: 282, yResolution: 283, planarConfiguration: 284, resolutionUnit: 296, tileWidth: 322, tileHeight: 323, tileOffsets: 324, tileByteCounts: 325, jpegTables: 347, yCbCrSubsampling: 530,
} as const
const PHOTOMETRIC = { grey: 1, rgb: 2, ycbcr: 6 } as const
/** 7 is JPEG; Aperio's two say the colour model of JPEG 2000. */
const COMPRESSION = { jpeg: 7, jpeg2000Ycbcr: 33003, jpeg2000Rgb: 33005 } as const
const MICRONS_PER_CENTIMETRE = 10_000

/**
 * Writes a slide as one BigTIFF in the manner of Aperio, so that other programs open it: the same levels, micrometres
 * per pixel and objective, the tiles as they are, and nothing else. The same structure and tiles give the same bytes.
 * The file has its name only when it is whole.
 *
 * @throws {RelayFault} `bad_slide` when a tile is longer than may be; `storage_full` when it cannot be written; what `tiles` throws; the reason of `signal`.
 */
export async function reassemble(structure: SlideStructure, tiles: TileSource, path: string, { signal, onProgress }: ReassembleOptions = {}): Promise<void> {
  const partial = `${path}.part`
  await rm(partial, { force: true })
  try {
    await using writer = await TiffWriter.create(partial)
    const all = structure.levels.reduce((sum, level) => sum + tilesOf(level), 0)
    let done = 0
    for (const [index, level] of structure.levels.entries()) {
      const written = new WrittenTiles(level)
      for (let ordinal = 0; ordinal < tilesOf(level); ordinal++) {
        signal?.throwIfAborted()
        const { column, row } = tileAt(level, ordinal)
        const tile = await tiles(index, column, row)
        if (tile.length > SLIDE_LIMITS.tileBytes) throw new RelayFault('bad_slide', 'a tile is too long')
        if (tile.length > 0) written.set(row * columnsOf(level) + column, await writer.append(tile), tile)
        onProgress?.(++done, all)
      }
      await writer.appendDirectory(fieldsOf(structure, level, index, written))
    }
    await writer.finish()
  } catch (cause) {
    await rm(partial, { force: true })
    throw cause
  }
  await rename(partial, path)
}

/** Where the tiles of a level were written, row by row. */
class WrittenTiles {
  readonly offsets: Buffer
  readonly lengths: Buffer
  /** Of the first tile that says it, as its JPEG frame header does: horizontal and vertical. */
  subsampling: readonly [number, number] | undefined

  constructor(level: SlideLevel) {
    this.offsets = Buffer.alloc(8 * tilesOf(level))
    this.lengths = Buffer.alloc(4 * tilesOf(level))
  }

  set(index: number, offset: number, tile: Buffer): void {
    this.offsets.writeBigUInt64LE(BigInt(offset), 8 * index)
    this.lengths.writeUInt32LE(tile.length, 4 * index)
    this.subsampling ??= subsamplingOf(tile)
  }
}

function fieldsOf(structure: SlideStructure, level: SlideLevel, index: number, written: WrittenTiles): TiffField[] {
  const { compression, photometric, tables } = level.encoding
  const samples = photometric === 'grey' ? 1 : 3
  const fields: TiffField[] = [
    { tag: TAG.subfileType, type: 'long', values: [index === 0 ? 0 : 1] },
    { tag: TAG.width, type: 'long', values: [level.width] },
    { tag: TAG.height, type: 'long', values: [level.height] },
    { tag: TAG.bitsPerSample, type: 'short', values: Array<number>(samples).fill(8) },
    { tag: TAG.compression, type: 'short', values: [compressionOf(level.encoding)] },
    { tag: TAG.photometric, type: 'short', values: [PHOTOMETRIC[photometric]] },
    { tag: TAG.imageDescription, type: 'ascii', values: Buffer.from(`${descriptionOf(structure, level, index)}\0`, 'latin1') },
    { tag: TAG.samplesPerPixel, type: 'short', values: [samples] },
    { tag: TAG.planarConfiguration, type: 'short', values: [1] },
    { tag: TAG.tileWidth, type: 'long', values: [level.tileWidth] },
    { tag: TAG.tileHeight, type: 'long', values: [level.tileHeight] },
    { tag: TAG.tileOffsets, type: 'long8', values: written.offsets },
    { tag: TAG.tileByteCounts, type: 'long', values: written.lengths },
    ...resolutionOf(structure, level),
  ]
  if (tables !== '') fields.push({ tag: TAG.jpegTables, type: 'undefined', values: Buffer.from(tables, 'base64') })
  if (compression === 'jpeg' && photometric === 'ycbcr') fields.push({ tag: TAG.yCbCrSubsampling, type: 'short', values: written.subsampling ?? [2, 2] })
  return fields
}

function compressionOf({ compression, photometric }: TileEncoding): number {
  if (compression === 'jpeg') return COMPRESSION.jpeg
  return photometric === 'ycbcr' ? COMPRESSION.jpeg2000Ycbcr : COMPRESSION.jpeg2000Rgb
}

/** OpenSlide knows the vendor by its beginning, and reads `MPP` and `AppMag` of the first. */
function descriptionOf({ levels: [first], micronsPerPixel, objectivePower }: SlideStructure, level: SlideLevel, index: number): string {
  const size = (shape: SlideLevel | undefined): string => `${String(shape?.width ?? 0)}x${String(shape?.height ?? 0)}`
  const sizes = index === 0 ? size(level) : `${size(first)} -> ${size(level)}`
  const known = [
    `Aperio Image Library\r\n${sizes} (${String(level.tileWidth)}x${String(level.tileHeight)})`,
    ...(objectivePower === null ? [] : [`AppMag = ${String(objectivePower)}`]),
    ...(micronsPerPixel === null ? [] : [`MPP = ${String(micronsPerPixel.x)}`]),
  ]
  return known.join('|')
}

/** Both directions, for programs that read no `MPP`: pixels per centimetre, in thousandths. */
function resolutionOf({ levels: [first], micronsPerPixel }: SlideStructure, level: SlideLevel): TiffField[] {
  if (micronsPerPixel === null || first === undefined) return []
  const perCentimetre = (microns: number, full: number, here: number): readonly number[] => [Math.min(2 ** 32 - 1, Math.max(1, Math.round(((MICRONS_PER_CENTIMETRE / microns) * 1000 * here) / full))), 1000]
  return [
    { tag: TAG.xResolution, type: 'rational', values: perCentimetre(micronsPerPixel.x, first.width, level.width) },
    { tag: TAG.yResolution, type: 'rational', values: perCentimetre(micronsPerPixel.y, first.height, level.height) },
    { tag: TAG.resolutionUnit, type: 'short', values: [3] },
  ]
}

/** Sampling factors of the first component of a JPEG of three. @see ITU-T T.81 section B.2.2 */
function subsamplingOf(tile: Buffer): readonly [number, number] | undefined {
  for (let at = 2; at + 12 <= tile.length && tile[at] === 0xff;) {
    const code = tile[at + 1] ?? 0
    const isFrame = code >= 0xc0 && code <= 0xcf && code !== 0xc4 && code !== 0xc8 && code !== 0xcc
    if (isFrame) return tile[at + 9] === 3 ? [(tile[at + 11] ?? 0) >> 4, (tile[at + 11] ?? 0) & 15] : undefined
    if (code === 0xda) return undefined
    at += 2 + tile.readUInt16BE(at + 2)
  }
  return undefined
}
