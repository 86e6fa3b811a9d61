import sharp from 'sharp'
import { cleanTile } from '../../relay/slides/deidentify/clean-tile.ts'
import { TiffWriter } from '../../relay/slides/formats/tiff-writer.ts'
import type { TiffField } from '../../relay/slides/formats/tiff-writer.ts'

/** Where in a TIFF something stands besides the picture. Left out: nowhere. */
export interface TiffPlants {
  /** Of a level, 0 or 1. */
  readonly description?: (level: number) => Buffer
  /** In the directories of levels. */
  readonly fields?: readonly TiffField[]
  /** Made from the whole JPEG of a tile; without its tables otherwise. */
  readonly tile?: (jpeg: Buffer) => Buffer
  readonly tables?: (tables: Buffer) => Buffer
  /** Directories of one strip each, after the levels. */
  readonly pictures?: readonly { readonly jpeg: Buffer; readonly fields: readonly TiffField[] }[]
  /** Between the first tile and the directory, referred to by nothing. */
  readonly unreferenced?: Buffer
  readonly trailing?: Buffer
}

const SIDE = 64
const LEVELS = [{ width: 160, height: 120 }, { width: 80, height: 60 }] as const

const made = new Map<number, Promise<Buffer>>()

/** A JPEG of one tile, without segments of applications. */
function bareTile(seed: number): Promise<Buffer> {
  const tile = made.get(seed) ?? makeTile(seed)
  made.set(seed, tile)
  return tile
}

async function makeTile(seed: number): Promise<Buffer> {
  const pixels = Buffer.from(Array.from({ length: SIDE * SIDE * 3 }, (_, index) => ((index >> 3) * 31 + seed * 17) % 256))
  const { bytes } = cleanTile(await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } }).jpeg({ quality: 80 }).toBuffer(), 'jpeg')
  return bytes
}

/** A segment of a JPEG. @param code - Second byte of its marker. */
export const jpegSegment = (code: number, body: Buffer): Buffer => Buffer.concat([Buffer.of(0xff, code, (body.length + 2) >> 8, (body.length + 2) & 0xff), body])

/** Puts bytes after SOI. */
export const afterStart = (jpeg: Buffer, ...parts: Buffer[]): Buffer => Buffer.concat([jpeg.subarray(0, 2), ...parts, jpeg.subarray(2)])

/** Splits a JPEG into its tables and an abbreviated image. @see TIFF Technical Note 2 */
function split(jpeg: Buffer): { readonly tables: Buffer; readonly image: Buffer } {
  const tables: Buffer[] = [Buffer.of(0xff, 0xd8)]
  const image: Buffer[] = [Buffer.of(0xff, 0xd8)]
  let at = 2
  while (jpeg[at + 1] !== 0xda) {
    const end = at + 2 + jpeg.readUInt16BE(at + 2)
    const isTable = jpeg[at + 1] === 0xdb || jpeg[at + 1] === 0xc4
    ;(isTable ? tables : image).push(jpeg.subarray(at, end))
    at = end
  }
  return { tables: Buffer.concat([...tables, Buffer.of(0xff, 0xd9)]), image: Buffer.concat([...image, jpeg.subarray(at)]) }
}

/** A small JPEG, such as of a label. */
export const pictureJpeg = (): Promise<Buffer> => bareTile(99)

/** Writes a slide of two levels with things planted beside its picture. */
export async function writePlantedTiff(path: string, plants: TiffPlants): Promise<void> {
  await using writer = await TiffWriter.create(path)
  for (const [level, { width, height }] of LEVELS.entries()) {
    const [offsets, lengths]: [number[], number[]] = [[], []]
    const { tables } = split(await bareTile(0))
    const columns = Math.ceil(width / SIDE)
    for (let tile = 0; tile < columns * Math.ceil(height / SIDE); tile++) {
      const { image } = split(await bareTile(tile + 10 * level))
      const bytes = plants.tile?.(image) ?? image
      offsets.push(await writer.append(bytes))
      lengths.push(bytes.length)
    }
    if (plants.unreferenced !== undefined) await writer.append(plants.unreferenced)
    await writer.appendDirectory([
      ...plain(level, width, height),
      { tag: 322, type: 'long', values: [SIDE] },
      { tag: 323, type: 'long', values: [SIDE] },
      { tag: 324, type: 'long8', values: offsets },
      { tag: 325, type: 'long', values: lengths },
      { tag: 347, type: 'undefined', values: plants.tables?.(tables) ?? tables },
      { tag: 270, type: 'ascii', values: plants.description?.(level) ?? Buffer.from('Aperio Image Library\r\n160x120|AppMag = 20|MPP = 0.5\0') },
      ...(plants.fields ?? []),
    ])
  }
  for (const { jpeg, fields } of plants.pictures ?? []) {
    const at = await writer.append(jpeg)
    await writer.appendDirectory([...plain(1, SIDE, SIDE), { tag: 273, type: 'long8', values: [at] }, { tag: 278, type: 'long', values: [SIDE] }, { tag: 279, type: 'long', values: [jpeg.length] }, ...fields])
  }
  if (plants.trailing !== undefined) await writer.append(plants.trailing)
  await writer.finish()
}

const plain = (level: number, width: number, height: number): TiffField[] => [
  { tag: 254, type: 'long', values: [level === 0 ? 0 : 1] },
  { tag: 256, type: 'long', values: [width] },
  { tag: 257, type: 'long', values: [height] },
  { tag: 258, type: 'short', values: [8, 8, 8] },
  { tag: 259, type: 'short', values: [7] },
  { tag: 262, type: 'short', values: [6] },
  { tag: 277, type: 'short', values: [3] },
  { tag: 284, type: 'short', values: [1] },
  { tag: 530, type: 'short', values: [2, 2] },
]
