import { arrangePyramid, MOST_DESCRIPTION_BYTES, MOST_MICRONS_PER_PIXEL, MOST_OBJECTIVE_POWER, plausible, withheldPlaces } from './tiff-pyramid.ts'
import { isTiled, sizeOf } from './tiff-level.ts'
import { TAG } from './tiff-tags.ts'
import type { TiffDirectory, TiffFile } from './tiff-file.ts'
import type { NameImage, TiffReading } from './tiff-pyramid.ts'

/** What an Aperio `ImageDescription` says: a heading, and fields `|name = value`. @see Aperio Digital Slides and Third-party data interchange, MAN-0069 */
export interface AperioDescription {
  readonly heading: string
  readonly fields: readonly { readonly name: string; readonly value: string }[]
}

/** Names of fields that Aperio's programs write. Another name might be anybody's. */
const FIELD_NAMES: ReadonlySet<string> = new Set([
  'AppMag', 'MPP', 'StripeWidth', 'ScanScope ID', 'Filename', 'Title', 'Date', 'Time', 'Time Zone', 'User', 'Parmset', 'Left', 'Top', 'LineCameraSkew',
  'LineAreaXOffset', 'LineAreaYOffset', 'Focus Offset', 'DSR ID', 'ImageID', 'OriginalWidth', 'OriginalHeight', 'Originalheight', 'Exposure Time',
  'Exposure Scale', 'DisplayColor', 'SessonMode', 'SessionMode', 'ICC Profile', 'Filtered', 'Rotate', 'Gamma', 'Barcode', 'Slide', 'Rack', 'DocumentID',
  'CalibrationAverageBlue', 'CalibrationAverageGreen', 'CalibrationAverageRed', 'ScannerType', 'SerialNumber', 'Software', 'Copyright',
])

/** Enough for any file of Aperio's, and few enough to list. */
const MOST_FIELDS = 256

/** Whether an image description is Aperio's. */
export const isAperio = (description: string): boolean => description.startsWith('Aperio')

/** Splits an image description. Fields beyond the 256th are left out. */
export function parseAperioDescription(description: string): AperioDescription {
  const [heading = '', ...parts] = description.split('|', MOST_FIELDS)
  const fields = parts.map(part => {
    const at = part.indexOf('=')
    return at < 0 ? { name: '', value: part.trim() } : { name: part.slice(0, at).trim(), value: part.slice(at + 1).trim() }
  })
  return { heading, fields }
}

/** Reads the levels of an Aperio file (SVS). @throws {RelayFault} as `arrangePyramid`. */
export async function readAperio(file: TiffFile): Promise<TiffReading> {
  const [finest, ...others] = file.directories
  if (finest === undefined) throw new Error('a TIFF has a directory')
  const { levels, associated } = await arrangePyramid(file, finest, others, nameOf(file))
  for (const directory of file.directories.flatMap(directory => [...file.all(directory.children)])) associated.push({ name: 'other', ...(await sizeOf(file, directory)) })
  const described = parseAperioDescription(await file.text(finest, TAG.imageDescription, MOST_DESCRIPTION_BYTES))
  const valueOf = (name: string): string | undefined => described.fields.find(field => field.name === name)?.value
  const numberOf = (name: string): number | undefined => {
    const value = valueOf(name)
    return value === undefined ? undefined : Number(value)
  }
  const microns = plausible(numberOf('MPP'), MOST_MICRONS_PER_PIXEL)
  return {
    format: 'aperio',
    levels,
    associated,
    micronsPerPixel: microns === undefined ? undefined : { x: microns, y: microns },
    objectivePower: plausible(numberOf('AppMag'), MOST_OBJECTIVE_POWER),
    // `ScanScope ID` is a machine's own name, often with the hospital's in it; its model stands in `ScannerType`.
    scan: { date: calendarDate(valueOf('Date') ?? ''), scannerModel: valueOf('ScannerType') },
    withheld: await withheldPlaces(levels, associated, directory => placesIn(file, directory)),
  }
}

/** Aperio writes month, day and year, the latter with two digits or four. */
function calendarDate(text: string): string | undefined {
  const [, month, day, year] = /^(\d{2})\/(\d{2})\/((?:20)?\d{2})$/.exec(text) ?? []
  return year === undefined ? undefined : `20${year.slice(-2)}-${month}-${day}`
}

/** Labels and macros say so in the second line of their description, or by their NewSubfileType (1 and 9); only levels are stored in tiles. */
const nameOf = (file: TiffFile): NameImage => async directory => {
  const description = await file.textStart(directory, TAG.imageDescription, 4096)
  const words = /^\s*(?:Aperio[^\n]*\n\s*)?(label|macro|thumbnail)\b/i.exec(description)
  if (words?.[1] !== undefined) return words[1].toLowerCase()
  const kind = (await file.number(directory, TAG.newSubfileType)) ?? 0
  if (kind === 9) return 'macro'
  if (isTiled(directory)) return undefined
  return kind === 1 ? 'label' : 'thumbnail'
}

async function placesIn(file: TiffFile, directory: TiffDirectory): Promise<string[]> {
  const { fields } = parseAperioDescription(await file.text(directory, TAG.imageDescription, MOST_DESCRIPTION_BYTES))
  const names = fields.map(({ name }) => (FIELD_NAMES.has(name) ? name : 'other field'))
  return ['heading', ...names.filter(name => name !== 'AppMag' && name !== 'MPP')].map(name => `ImageDescription: ${name}`)
}
