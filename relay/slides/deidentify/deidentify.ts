import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'
import { SlideStructure } from '../../wire/slide.ts'
import { cleanTables } from './clean-tile.ts'
import { dicomRemoval } from './dicom-profile.ts'
import { placeName } from './known-places.ts'
import { permitted } from './policy.ts'
import { RemovalList } from './removal-list.ts'
import type { SlideId } from '../../wire/ids.ts'
import type { SlideLevel } from '../../wire/slide.ts'
import type { SlideReader } from '../formats/slide-reader.ts'
import type { DeidentificationPolicy, Keepable } from './policy.ts'

/** How a slide is de-identified. */
export interface DeidentifyOptions {
  readonly slideId: SlideId
  /** See `pseudonymOf`. */
  readonly pseudonym: string
  readonly policy?: DeidentificationPolicy | undefined
  /** What somebody asks to keep; a policy must allow it. */
  readonly keep?: readonly string[] | undefined
  /** What was found in tiles that were looked at beforehand, by place: how many levels have it. */
  readonly inTiles?: ReadonlyMap<string, number> | undefined
}

const ASSOCIATED_IMAGES: ReadonlySet<string> = new Set(['label', 'macro', 'thumbnail', 'overview'])
/** More than any format writes; a double could carry a name of six letters in its last bits. */
const SIGNIFICANT_DIGITS = 6
const MAX_MEASURE = 1000
/** From here on, numbers of unknown tags are not told one by one. */
const MAX_UNKNOWN_TAGS = 64

/** Where values stand that may be kept whole. With DICOM's AcquisitionDateTime the time of day stays behind, so that it is listed all the same. */
const KEPT_PLACES: Readonly<Record<string, keyof NonNullable<SlideStructure['kept']>>> = {
  'ImageDescription: Date': 'scanDate',
  'ImageDescription: ScannerType': 'scannerModel',
  '(0008,1090) ManufacturerModelName': 'scannerModel',
}

/**
 * What may be said of a slide outside of its facility. It is made anew from fields that are known to name nobody;
 * whatever else the file says is not copied but listed by its place.
 *
 * @throws {RelayFault} `identity_refused` when `keep` asks for what no policy allows; `bad_slide` when JPEG tables are broken.
 */
export function deidentify(reader: SlideReader, { slideId, pseudonym, policy, keep = [], inTiles = new Map() }: DeidentifyOptions): SlideStructure {
  const kept = keptOf(reader, permitted(keep, policy), policy)
  const removals = new RemovalList()
  removals.add('file name', 'replaced')
  // Some readers list pictures among what they withhold, too.
  const pictures = new Set(reader.associated.map(({ name }) => `${name} image`))
  for (const { name } of reader.associated) removals.add(ASSOCIATED_IMAGES.has(name) ? `${name} image` : 'other image', 'removed')
  const unknownTags = new Set<string>()
  for (const withheld of reader.withheld.filter(place => !pictures.has(place))) {
    const attribute = dicomRemoval(withheld)
    const place = attribute?.place ?? placeName(withheld)
    const keptAs = Object.hasOwn(KEPT_PLACES, place) ? KEPT_PLACES[place] : undefined
    if (keptAs !== undefined && kept[keptAs] !== undefined) continue
    if (place.startsWith('unknown tag ')) unknownTags.add(place)
    removals.add(unknownTags.size > MAX_UNKNOWN_TAGS && place.startsWith('unknown tag ') ? 'unknown tag' : place, attribute?.action ?? 'removed')
  }
  for (const [place, count] of inTiles) removals.add(`${place} in tiles`, 'removed', count)
  const levels = reader.levels.map(level => withoutNames(level, removals))
  const structure = SlideStructure.safeParse({
    version: 1, slideId, format: reader.format, pseudonym, levels,
    micronsPerPixel: micronsOf(reader), objectivePower: measure(reader.objectivePower),
    removed: removals.list,
    ...(Object.keys(kept).length === 0 ? {} : { kept }),
  })
  // The reason is left out: it could quote the file.
  if (!structure.success) throw new RelayFault('bad_slide', 'the slide is not one that can be described')
  return structure.data
}

function withoutNames({ width, height, tileWidth, tileHeight, isMade, encoding }: SlideLevel, removals: RemovalList): SlideLevel {
  const { compression, photometric } = encoding
  const { tables, cut } = cleanTables(encoding.tables)
  for (const [place, count] of cut) removals.add(`${place} in tables`, 'removed', count)
  return { width, height, tileWidth, tileHeight, isMade, encoding: { compression, photometric, tables } }
}

function micronsOf({ micronsPerPixel }: SlideReader): SlideStructure['micronsPerPixel'] {
  const [x, y] = [measure(micronsPerPixel?.x), measure(micronsPerPixel?.y)]
  return x === null || y === null ? null : { x, y }
}

/** `null` for what is no measure. */
function measure(value: number | undefined): number | null {
  const rounded = Number((value ?? Number.NaN).toPrecision(SIGNIFICANT_DIGITS))
  return rounded > 0 && rounded <= MAX_MEASURE ? rounded : null
}

function keptOf({ scan }: SlideReader, kept: ReadonlySet<Keepable>, policy: DeidentificationPolicy | undefined): NonNullable<SlideStructure['kept']> {
  const date = kept.has('scan date') ? z.iso.date().safeParse(scan?.date).data : undefined
  const model = kept.has('scanner model') ? policy?.scannerModels.find(known => known === scan?.scannerModel) : undefined
  return { ...(date === undefined ? {} : { scanDate: date }), ...(model === undefined ? {} : { scannerModel: model }) }
}
