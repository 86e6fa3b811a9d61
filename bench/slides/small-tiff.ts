import sharp from 'sharp'
import { asciiField, headerBytes, layOutTiff, longField, shortField } from './tiff-layout.ts'
import type { TiffField, TiffImage, TiffKind } from './tiff-layout.ts'

/** Which family of slides a small file is of. */
export type SmallFamily = 'aperio' | 'generic' | 'ome'

/** Sides of the level and of its tiles, in pixels: three by two tiles, and a coarser level of one. */
export const SMALL = { width: 160, height: 120, tile: 64 } as const

/** How a small file differs from a sound one. */
export interface SmallTiffOptions {
  readonly family: SmallFamily
  readonly kind?: TiffKind
  /** Replace fields of the finest level, or come in addition. */
  readonly fields?: readonly TiffField[]
  /** Instead of its tiles. */
  readonly tile?: Buffer
  /** Further images. */
  readonly images?: readonly TiffImage[]
  readonly description?: string
}

const OME = `<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Instrument ID="Instrument:0"><Objective ID="Objective:0" NominalMagnification="20"/></Instrument>
<Image ID="Image:0" Name="slide"><ObjectiveSettings ID="Objective:0"/><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="${SMALL.width}" SizeY="${SMALL.height}" SizeC="3" SizeZ="1" SizeT="1" PhysicalSizeX="500" PhysicalSizeXUnit="nm" PhysicalSizeY="0.5"><Channel ID="Channel:0" SamplesPerPixel="3"/><TiffData IFD="0" PlaneCount="1"/></Pixels></Image></OME>`
const DESCRIPTIONS: Readonly<Record<SmallFamily, string>> = {
  aperio: `Aperio Image Library v11 \r\n${SMALL.width}x${SMALL.height} (64x64) JPEG/YCC Q=80|AppMag = 20|MPP = 0.5|Filename = A-1`,
  generic: 'made for a test',
  ome: OME,
}

/** A tile of one colour. */
export const solidTile = (colour: string, side: number = SMALL.tile): Promise<Buffer> => sharp({ create: { width: side, height: side, channels: 3, background: colour } }).jpeg({ quality: 80, chromaSubsampling: '4:2:0' }).toBuffer()

/** A whole slide in a few kilobytes: a level of six tiles and one of a single tile, as the family stores it. */
export async function makeSmallTiff({ family, kind = { isBig: false, isLittleEndian: true }, fields = [], tile, images = [], description = DESCRIPTIONS[family] }: SmallTiffOptions): Promise<Buffer> {
  const tiles = await Promise.all(['#c080a0', '#b070a0', '#a06090', '#d090b0', '#905080', '#e0a0c0', '#ffffff'].map(async colour => tile ?? solidTile(colour)))
  const offsets: number[] = []
  let at = headerBytes(kind)
  for (const bytes of tiles) {
    offsets.push(at)
    at += bytes.length
  }
  const level = (width: number, height: number, from: number, to: number, more: readonly TiffField[]): TiffField[] => {
    const own = [
      longField(256, width), longField(257, height), shortField(258, 8, 8, 8), shortField(259, 7), shortField(262, 6), shortField(277, 3), shortField(284, 1),
      shortField(322, SMALL.tile), shortField(323, SMALL.tile), longField(324, ...offsets.slice(from, to)), longField(325, ...tiles.slice(from, to).map(({ length }) => length)), ...more,
    ]
    return own
  }
  const replaced = (own: readonly TiffField[]): TiffField[] => [...own.filter(({ tag }) => !fields.some(field => field.tag === tag)), ...fields]
  const finest = replaced(level(SMALL.width, SMALL.height, 0, 6, [asciiField(270, description), { tag: 282, type: 5, value: [20_000, 1] }, { tag: 283, type: 5, value: [20_000, 1] }, shortField(296, 3)]))
  const coarse = level(SMALL.width / 4, SMALL.height / 4, 6, 7, [longField(254, 1)])
  const chain: TiffImage[] = family === 'ome' ? [{ fields: finest, children: [{ fields: coarse }] }, ...images] : [{ fields: finest }, { fields: coarse.filter(({ tag }) => tag !== 254) }, ...images]
  const { header, directories } = layOutTiff(chain, at, kind)
  return Buffer.concat([header, ...tiles, directories])
}
