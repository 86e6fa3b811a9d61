import { RelayFault } from '../../wire/fault.ts'
import { SlideLevel, SLIDE_LIMITS, tilesOf } from '../../wire/slide.ts'
import { keywordOf, tagName, UIDS } from './dicom-dictionary.ts'
import { SparseTiles } from './sparse-tiles.ts'
import type { TileEncoding } from '../../wire/slide.ts'
import type { Keyword } from './dicom-dictionary.ts'
import type { DicomHeader } from './dicom-header.ts'
import type { SlideReader } from './slide-reader.ts'

/** What is needed to show a slide, or says how the file is made; everything else a slide sent onward is without. */
const SHOWN: ReadonlySet<Keyword> = new Set<Keyword>([
  'SpecificCharacterSet', 'ImageType', 'SOPClassUID', 'Modality', 'SliceThickness', 'DimensionOrganizationSequence', 'DimensionIndexSequence', 'DimensionOrganizationType',
  'SamplesPerPixel', 'PhotometricInterpretation', 'PlanarConfiguration', 'NumberOfFrames', 'Rows', 'Columns', 'BitsAllocated', 'BitsStored', 'HighBit', 'PixelRepresentation',
  'BurnedInAnnotation', 'LossyImageCompression', 'LossyImageCompressionRatio', 'LossyImageCompressionMethod', 'VolumetricProperties', 'SpecimenLabelInImage', 'FocusMethod',
  'ExtendedDepthOfField', 'ImagedVolumeWidth', 'ImagedVolumeHeight', 'ImagedVolumeDepth', 'TotalPixelMatrixColumns', 'TotalPixelMatrixRows', 'TotalPixelMatrixOriginSequence',
  'ImageOrientationSlide', 'OpticalPathSequence', 'NumberOfOpticalPaths', 'NumberOfFocalPlanes', 'TotalPixelMatrixFocalPlanes', 'SharedFunctionalGroupsSequence',
  'PerFrameFunctionalGroupsSequence', 'ExtendedOffsetTable', 'ExtendedOffsetTableLengths', 'PatientIdentityRemoved', 'DeidentificationMethod',
])

/** One instance of a whole slide: the pixels of a level, or a picture beside them. */
export interface DicomInstance {
  readonly seriesInstanceUid: string
  /** Third value of Image Type, lower case: `volume`, `label`, `overview`, `thumbnail`, or `other`. @see PS3.3 section C.8.12.4.1.1 */
  readonly flavour: 'volume' | 'label' | 'overview' | 'thumbnail' | 'localizer' | 'other'
  /** Of the whole image, in pixels. */
  readonly width: number
  readonly height: number
  readonly scan: NonNullable<SlideReader['scan']>
  /** Places of attributes that are not needed to show the picture. */
  readonly withheld: readonly string[]
}

/** What is needed to read the tiles of a level. */
export interface DicomLevel {
  readonly level: SlideLevel
  /** In micrometres. */
  readonly micronsPerPixel: { readonly x: number; readonly y: number } | undefined
  readonly objectivePower: number | undefined
  readonly frames: number
  /** Offset in the file of the first item of pixel data. */
  readonly pixelItemsAt: number
  /** Which frames there are; `undefined` when they are in the order of tiles, row by row, and none is left out. */
  readonly sparse: SparseTiles | undefined
  readonly extendedOffsets: Buffer | undefined
}

const bad = (message: string): RelayFault => new RelayFault('bad_slide', `DICOM: ${message}`)
const unsupported = (message: string): RelayFault => new RelayFault('unsupported_slide', `DICOM: ${message}`)

const FLAVOURS = new Set<string>(['volume', 'label', 'overview', 'thumbnail', 'localizer'])

/** What kind of instance a header is of. @throws {RelayFault} `bad_slide`. */
export function readInstance(header: DicomHeader): DicomInstance {
  const { source, dataSet, fileMeta, elements } = header
  const named = (source.text(dataSet, 'ImageType').split('\\')[2] ?? '').trim().toLowerCase()
  const flavour = FLAVOURS.has(named) ? (named as DicomInstance['flavour']) : 'other'
  const side = (matrix: Keyword, frame: Keyword): number => source.number(dataSet, matrix) ?? source.number(dataSet, frame) ?? 0
  const [width, height] = [side('TotalPixelMatrixColumns', 'Columns'), side('TotalPixelMatrixRows', 'Rows')]
  if (width < 1 || height < 1 || width > SLIDE_LIMITS.side || height > SLIDE_LIMITS.side) throw bad('the image has no size that can be')
  const withheld = elements.filter(({ tag, length }) => length > 0 && !SHOWN.has(keywordOf(tag) ?? 'PixelData')).map(({ tag }) => tagName(tag))
  if (source.text(fileMeta, 'SourceApplicationEntityTitle') !== '') withheld.push(tagName(0x0002_0016))
  return { seriesInstanceUid: source.text(dataSet, 'SeriesInstanceUID'), flavour, width, height, scan: scanOf(header), withheld }
}

/** @see PS3.5 section 6.2, DT: year, month and day may be all there is, or less. */
function scanOf({ source, dataSet }: DicomHeader): DicomInstance['scan'] {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})/.exec(source.text(dataSet, 'AcquisitionDateTime')) ?? []
  const model = source.text(dataSet, 'ManufacturerModelName')
  return { date: year === undefined ? undefined : `${year}-${month}-${day}`, scannerModel: model === '' ? undefined : model }
}

/** @throws {RelayFault} `bad_slide`; `unsupported_slide` for pixels that cannot be handed on as they are. */
export function readLevel(header: DicomHeader, { width, height }: DicomInstance): DicomLevel {
  const { source, dataSet, pixelItemsAt } = header
  const encoding = encodingOf(header)
  if (pixelItemsAt === undefined) throw bad('there is no encapsulated pixel data')
  if (source.text(dataSet, 'ConcatenationUID') !== '') throw unsupported('concatenations are not read')
  if ((source.number(dataSet, 'NumberOfOpticalPaths') ?? 1) > 1) throw unsupported('several optical paths are not read')
  if ((source.number(dataSet, 'TotalPixelMatrixFocalPlanes') ?? 1) > 1) throw unsupported('several focal planes are not read')
  const parsed = SlideLevel.safeParse({ width, height, tileWidth: source.number(dataSet, 'Columns'), tileHeight: source.number(dataSet, 'Rows'), encoding, isMade: false })
  if (!parsed.success) throw bad('the tiles have no size that can be')
  const level = parsed.data
  const frames = source.decimals(dataSet, 'NumberOfFrames')[0] ?? 1
  if (!Number.isInteger(frames) || frames < 1 || frames > SLIDE_LIMITS.tiles || tilesOf(level) > SLIDE_LIMITS.tiles) throw bad('the number of frames cannot be')
  const isFull = source.text(dataSet, 'DimensionOrganizationType') === 'TILED_FULL' || tilesOf(level) === 1
  if (isFull && frames !== tilesOf(level)) throw bad('another number of frames than tiles')
  const offsets = source.find(dataSet, 'ExtendedOffsetTable')
  return {
    level,
    ...scaleOf(header, level),
    frames,
    pixelItemsAt,
    sparse: isFull ? undefined : sparseTiles(header, level, frames),
    // A copy, so that the header can be forgotten.
    extendedOffsets: offsets && Buffer.from(source.bytes.subarray(offsets.valueAt, offsets.valueAt + offsets.length)),
  }
}

/** @see PS3.5 sections 8.2.1 and 8.2.4 */
function encodingOf({ source, dataSet, transferSyntax }: DicomHeader): TileEncoding {
  const compressions: Readonly<Record<string, TileEncoding['compression']>> = { [UIDS.jpegBaseline]: 'jpeg', [UIDS.jpeg2000]: 'jpeg2000', [UIDS.jpeg2000Lossless]: 'jpeg2000' }
  // YBR_ICT and YBR_RCT are transforms inside JPEG 2000: decoding gives RGB.
  const photometrics: Readonly<Record<string, TileEncoding['photometric']>> = { RGB: 'rgb', YBR_FULL: 'ycbcr', YBR_FULL_422: 'ycbcr', YBR_ICT: 'rgb', YBR_RCT: 'rgb', MONOCHROME2: 'grey' }
  const compression = Object.hasOwn(compressions, transferSyntax) ? compressions[transferSyntax] : undefined
  if (compression === undefined) throw unsupported('tiles are neither JPEG baseline nor JPEG 2000')
  const named = source.text(dataSet, 'PhotometricInterpretation')
  const photometric = Object.hasOwn(photometrics, named) ? photometrics[named] : undefined
  if (photometric === undefined || source.number(dataSet, 'SamplesPerPixel') !== (photometric === 'grey' ? 1 : 3)) throw unsupported('this photometric interpretation is not read')
  if (source.number(dataSet, 'BitsAllocated') !== 8) throw unsupported('only 8 bits a sample are read')
  return { compression, photometric, tables: '' }
}

function scaleOf({ source, dataSet }: DicomHeader, { width, height }: SlideLevel): Pick<DicomLevel, 'micronsPerPixel' | 'objectivePower'> {
  const shared = source.firstItem(dataSet, 'SharedFunctionalGroupsSequence')
  // Row spacing, which is vertical, comes first; in millimetres. @see PS3.3 section 10.7.1.3
  const [rowSpacing, columnSpacing] = source.decimals(source.firstItem(shared, 'PixelMeasuresSequence'), 'PixelSpacing')
  const x = 1000 * (columnSpacing ?? (source.number(dataSet, 'ImagedVolumeWidth') ?? 0) / width)
  const y = 1000 * (rowSpacing ?? (source.number(dataSet, 'ImagedVolumeHeight') ?? 0) / height)
  const isScale = (value: number | undefined): value is number => value !== undefined && value > 0 && value <= 1000
  const [power] = source.decimals(source.firstItem(dataSet, 'OpticalPathSequence'), 'ObjectiveLensPower')
  return { micronsPerPixel: isScale(x) && isScale(y) ? { x, y } : undefined, objectivePower: isScale(power) ? power : undefined }
}

/** Where frames stand, when they say it themselves. */
function sparseTiles({ framePositions }: DicomHeader, level: SlideLevel, frames: number): SparseTiles {
  if (framePositions === undefined) throw bad('sparse tiles do not say where they are')
  if (framePositions.count !== frames) throw bad('another number of positions than frames')
  return SparseTiles.of(level, framePositions)
}
