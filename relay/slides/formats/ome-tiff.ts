import { XMLParser } from 'fast-xml-parser'
import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { sizeOf } from './tiff-level.ts'
import { arrangePyramid, MOST_DESCRIPTION_BYTES, MOST_MICRONS_PER_PIXEL, MOST_OBJECTIVE_POWER, plausible, withheldPlaces } from './tiff-pyramid.ts'
import { TAG } from './tiff-tags.ts'
import type { TiffDirectory, TiffFile } from './tiff-file.ts'
import type { TiffReading } from './tiff-pyramid.ts'

const number = z.coerce.number()
/** One or many: an XML parser cannot know. */
const many = <Item extends z.ZodType>(item: Item) =>
  z.preprocess(value => (value === undefined || Array.isArray(value) ? value : [value]), z.array(item).max(1024).default([]))

const TiffData = z.looseObject({ IFD: number.optional(), UUID: z.unknown().optional() }).or(z.literal(''))
const Pixels = z.looseObject({
  SizeX: number, SizeY: number, SizeZ: number.default(1), SizeT: number.default(1), SizeC: number.default(1), Type: z.string().default('uint8'),
  PhysicalSizeX: number.optional(), PhysicalSizeY: number.optional(), PhysicalSizeXUnit: z.string().default('µm'), PhysicalSizeYUnit: z.string().default('µm'),
  TiffData: many(TiffData),
})
const Image = z.looseObject({ Name: z.string().default(''), ObjectiveSettings: z.looseObject({ ID: z.string() }).optional().catch(undefined), Pixels })
const Objective = z.looseObject({ ID: z.string().default(''), NominalMagnification: number.optional().catch(undefined) })
const Instrument = z.looseObject({ Objective: many(Objective) }).or(z.literal(''))
const Document = z.looseObject({ OME: z.looseObject({ Image: many(Image), Instrument: many(Instrument) }) })
type Ome = z.infer<typeof Document>['OME']
type OmeImage = Ome['Image'][number]

/** Micrometres in the units that slides are measured in; both signs for micro. @see OME-XML schema 2016-06, UnitsLength */
const MICRONS: ReadonlyMap<string, number> = new Map([['µm', 1], ['μm', 1], ['um', 1], ['nm', 0.001], ['mm', 1000], ['cm', 10_000], ['m', 1_000_000], ['pm', 1e-6], ['Å', 1e-4], ['in.', 25_400]])

/** Whether an image description is OME-XML. @param start - Its first kilobytes. */
export const isOme = (start: string): boolean => /^\uFEFF?\s*<(\?xml|!--|[a-z]*:?OME\b)/i.test(start) && /<([a-zA-Z]+:)?OME[\s>]/.test(start)

/** Reads the widest image of an OME-TIFF, with the levels in its SubIFDs. @throws {RelayFault} `bad_slide` for XML that is none; `unsupported_slide` for stacks, series, several files; as `arrangePyramid`. */
export async function readOmeTiff(file: TiffFile): Promise<TiffReading> {
  const [first] = file.directories
  if (first === undefined) throw new Error('a TIFF has a directory')
  const ome = parseOme(await file.text(first, TAG.imageDescription, MOST_DESCRIPTION_BYTES))
  const image = widest(ome.Image)
  checkPlain(image)
  const { Pixels: pixels } = image
  const finest = await directoryOf(file, image)
  const { levels, associated } = await arrangePyramid(file, finest, finest.children, async () => Promise.resolve(undefined))
  const beside = file.directories.filter(directory => directory !== finest)
  for (const directory of [...beside, ...[...beside, ...finest.children].flatMap(({ children }) => [...file.all(children)])]) {
    associated.push({ name: nameOf(ome, file, directory), ...(await sizeOf(file, directory)) })
  }
  const [x, y] = [micronsOf(pixels.PhysicalSizeX, pixels.PhysicalSizeXUnit), micronsOf(pixels.PhysicalSizeY, pixels.PhysicalSizeYUnit)]
  return {
    format: 'ome-tiff',
    levels,
    associated,
    micronsPerPixel: x === undefined || y === undefined ? undefined : { x, y },
    objectivePower: powerOf(ome, image),
    withheld: await withheldPlaces(levels, associated, async directory => Promise.resolve([directory === first ? 'ImageDescription: OME-XML' : 'ImageDescription'])),
  }
}

/** Entities are left as they stand, so that none can grow; what is deep or no XML is refused without a word of it in the error. */
function parseOme(xml: string): Ome {
  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '', removeNSPrefix: true, processEntities: false, parseTagValue: false, maxNestedTags: 64 })
  let parsed: unknown
  try {
    parsed = parser.parse(xml)
  } catch {
    throw new RelayFault('bad_slide', 'OME-TIFF: its description is no XML')
  }
  const document = Document.safeParse(parsed)
  if (!document.success) throw new RelayFault('bad_slide', 'OME-TIFF: its description is no OME-XML')
  return document.data.OME
}

function widest(images: readonly OmeImage[]): OmeImage {
  const [first] = images
  if (first === undefined) throw new RelayFault('bad_slide', 'OME-TIFF: it has no image')
  return images.reduce((best, image) => (image.Pixels.SizeX * image.Pixels.SizeY > best.Pixels.SizeX * best.Pixels.SizeY ? image : best), first)
}

function checkPlain({ Pixels: { SizeZ, SizeT, SizeC, Type, TiffData: data } }: OmeImage): void {
  if (SizeZ !== 1 || SizeT !== 1) throw new RelayFault('unsupported_slide', 'OME-TIFF: a stack or a series of images')
  if (Type !== 'uint8' || (SizeC !== 3 && SizeC !== 1)) throw new RelayFault('unsupported_slide', 'OME-TIFF: samples of other than 8 bits, or other than one or three colours')
  if (data.length > 1) throw new RelayFault('unsupported_slide', 'OME-TIFF: colours in separate planes')
}

const ifdOf = ({ Pixels: { TiffData: [data] } }: OmeImage): number => (data === undefined || data === '' ? 0 : (data.IFD ?? 0))

/** The directory of an image. Its size has to agree, which also refuses images that are in another file. */
async function directoryOf(file: TiffFile, image: OmeImage): Promise<TiffDirectory> {
  const directory = file.directories[ifdOf(image)]
  const { width, height } = directory === undefined ? { width: 0, height: 0 } : await sizeOf(file, directory)
  if (directory === undefined || width !== image.Pixels.SizeX || height !== image.Pixels.SizeY) throw new RelayFault('unsupported_slide', 'OME-TIFF: the image is not in this file as its description says')
  return directory
}

/** Only names that scanners give. */
function nameOf(ome: Ome, file: TiffFile, directory: TiffDirectory): string {
  const image = ome.Image.find(candidate => file.directories[ifdOf(candidate)] === directory)
  return /\b(label|macro|thumbnail|overview)\b/i.exec(image?.Name ?? '')?.[1]?.toLowerCase() ?? 'other'
}

function micronsOf(size: number | undefined, unit: string): number | undefined {
  const microns = MICRONS.get(unit)
  return size === undefined || microns === undefined ? undefined : plausible(size * microns, MOST_MICRONS_PER_PIXEL)
}

/** Of the objective that the image names; of the only one where it names none. */
function powerOf(ome: Ome, image: OmeImage): number | undefined {
  const objectives = ome.Instrument.flatMap(instrument => (instrument === '' ? [] : instrument.Objective))
  const named = image.ObjectiveSettings?.ID
  const objective = named === undefined ? (objectives.length === 1 ? objectives[0] : undefined) : objectives.find(({ ID }) => ID === named)
  return plausible(objective?.NominalMagnification, MOST_OBJECTIVE_POWER)
}
