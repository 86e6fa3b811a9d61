import { RelayFault } from '../../wire/fault.ts'
import { isTiled, sizeOf } from './tiff-level.ts'
import { arrangePyramid, MOST_MICRONS_PER_PIXEL, plausible, withheldPlaces } from './tiff-pyramid.ts'
import { TAG } from './tiff-tags.ts'
import type { TiffDirectory, TiffFile } from './tiff-file.ts'
import type { TiffReading } from './tiff-pyramid.ts'

/** Micrometres in the units of ResolutionUnit: inch and centimetre. 1 is none. */
const MICRONS_PER_UNIT: ReadonlyMap<number, number> = new Map([[2, 25_400], [3, 10_000]])

/** Reads a tiled TIFF of nobody's in particular: the widest tiled image is the finest level, images of its shape are coarser ones. @throws {RelayFault} as `arrangePyramid`. */
export async function readGenericTiff(file: TiffFile): Promise<TiffReading> {
  const finest = await widestTiled(file)
  const others = file.directories.filter(directory => directory !== finest)
  const { levels, associated } = await arrangePyramid(file, finest, [...others, ...finest.children], directory => nameOf(file, directory))
  const further = [...others, ...finest.children].flatMap(directory => [...file.all(directory.children)])
  for (const directory of further) associated.push({ name: 'other', ...(await sizeOf(file, directory)) })
  return {
    format: 'tiff',
    levels,
    associated,
    micronsPerPixel: await resolutionOf(file, finest),
    objectivePower: undefined,
    withheld: await withheldPlaces(levels, associated, async () => Promise.resolve(['ImageDescription'])),
  }
}

async function widestTiled(file: TiffFile): Promise<TiffDirectory> {
  let widest: { readonly directory: TiffDirectory; readonly width: number } | undefined
  for (const directory of file.directories.filter(isTiled)) {
    const { width } = await sizeOf(file, directory)
    if (width > (widest?.width ?? -1)) widest = { directory, width }
  }
  if (widest === undefined) throw new RelayFault('unsupported_slide', 'TIFF: no image is stored in tiles')
  return widest.directory
}

async function nameOf(file: TiffFile, directory: TiffDirectory): Promise<string | undefined> {
  const description = await file.textStart(directory, TAG.imageDescription, 4096)
  return /\b(label|macro|thumbnail|overview)\b/i.exec(description)?.[1]?.toLowerCase()
}

/** Micrometres of a pixel by the resolution tags. @see TIFF 6.0 section 8 */
async function resolutionOf(file: TiffFile, directory: TiffDirectory): Promise<TiffReading['micronsPerPixel']> {
  const unit = MICRONS_PER_UNIT.get((await file.number(directory, TAG.resolutionUnit)) ?? 2)
  const micronsOf = async (tag: number): Promise<number | undefined> => {
    const perUnit = await file.rational(directory, tag)
    return unit === undefined || perUnit === undefined ? undefined : plausible(unit / perUnit, MOST_MICRONS_PER_PIXEL)
  }
  const [x, y] = [await micronsOf(TAG.xResolution), await micronsOf(TAG.yResolution)]
  return x === undefined || y === undefined ? undefined : { x, y }
}
