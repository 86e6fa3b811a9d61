import { RelayFault } from '../../wire/fault.ts'
import { SLIDE_LIMITS } from '../../wire/slide.ts'
import { isTiled, readTiffLevel, sizeOf } from './tiff-level.ts'
import { STRUCTURAL_TAGS, TAG, tagPlace } from './tiff-tags.ts'
import type { SlideFormat } from '../../wire/slide.ts'
import type { AssociatedImage, SlideReader } from './slide-reader.ts'
import type { TiffDirectory, TiffFile } from './tiff-file.ts'
import type { TiffLevel } from './tiff-level.ts'

/** What a reader of one family of TIFF found out. The fields mean what they mean in `SlideReader`. */
export interface TiffReading {
  readonly format: SlideFormat
  readonly levels: readonly TiffLevel[]
  readonly micronsPerPixel: { readonly x: number; readonly y: number } | undefined
  readonly objectivePower: number | undefined
  readonly scan?: SlideReader['scan']
  readonly associated: readonly AssociatedImage[]
  readonly withheld: readonly string[]
}

/** Longest description that is looked at, in bytes. Aperio's have some hundred, an OME-XML with regions of interest some million. */
export const MOST_DESCRIPTION_BYTES = 8 * 1024 * 1024

/** Says what an image is by its words, such as `label`; undefined for one that may be a level. */
export type NameImage = (directory: TiffDirectory) => Promise<string | undefined>

/** Rounding of sizes from level to level, in pixels and as a share of the side. */
const ROUNDING = { pixels: 2, share: 0.01 } as const

/** Whether an image has the shape of a larger one. */
function isSmallerOf(base: { readonly width: number; readonly height: number }, image: { readonly width: number; readonly height: number }): boolean {
  const height = (base.height * image.width) / base.width
  return image.width < base.width && image.width > 0 && Math.abs(image.height - height) <= ROUNDING.pixels + ROUNDING.share * height
}

/**
 * Sorts images into the levels of a pyramid over its finest one, and pictures beside it. What has no name, the same shape
 * and tiles is a level; all else is not: a label that is taken for a level would leave the facility.
 *
 * @throws {RelayFault} as `readTiffLevel`, for the finest level only as far as it is `unsupported_slide`.
 */
export async function arrangePyramid(file: TiffFile, finest: TiffDirectory, others: readonly TiffDirectory[], nameOf: NameImage): Promise<{ levels: TiffLevel[]; associated: AssociatedImage[] }> {
  const base = await readTiffLevel(file, finest)
  const levels = [base]
  const associated: AssociatedImage[] = []
  for (const directory of others) {
    const size = await sizeOf(file, directory)
    const name = await nameOf(directory)
    const isLevel = name === undefined && isTiled(directory) && isSmallerOf(base.shape, size) && !levels.some(({ shape }) => shape.width === size.width)
    const level = isLevel ? await levelOrNone(file, directory) : undefined
    if (level === undefined) associated.push({ name: name ?? 'other', ...size })
    else levels.push(level)
  }
  if (levels.length > SLIDE_LIMITS.levels) throw new RelayFault('bad_slide', 'TIFF: too many levels')
  return { levels: levels.sort((a, b) => b.shape.width - a.shape.width), associated }
}

async function levelOrNone(file: TiffFile, directory: TiffDirectory): Promise<TiffLevel | undefined> {
  try {
    return await readTiffLevel(file, directory)
  } catch (thrown) {
    if (thrown instanceof RelayFault && thrown.code === 'unsupported_slide') return undefined
    throw thrown
  }
}

/**
 * Places of all that a pyramid does not need: pictures beside it, and tags of its levels.
 *
 * @param describe - Places within an image description.
 */
export async function withheldPlaces(levels: readonly TiffLevel[], associated: readonly AssociatedImage[], describe: (directory: TiffDirectory) => Promise<readonly string[]>): Promise<string[]> {
  const places = associated.map(({ name }) => `${name} image`)
  for (const { directory, strayTables } of levels) {
    for (const tag of directory.entries.keys()) {
      if (tag === TAG.imageDescription) places.push(...(await describe(directory)))
      else if (!STRUCTURAL_TAGS.has(tag)) places.push(tagPlace(tag))
    }
    for (let stray = 0; stray < strayTables; stray++) places.push('JPEGTables: other segment')
  }
  return places
}

/** A positive number that can be a size of pixels or a magnification, or undefined. */
export const plausible = (value: number | undefined, most: number): number | undefined =>
  value !== undefined && Number.isFinite(value) && value > 0 && value <= most ? value : undefined

/** No scanner's finest level has larger pixels, in micrometres; 72 dots per inch, which many programs write without having been asked, are 353. */
export const MOST_MICRONS_PER_PIXEL = 50
/** No objective magnifies more. */
export const MOST_OBJECTIVE_POWER = 400
