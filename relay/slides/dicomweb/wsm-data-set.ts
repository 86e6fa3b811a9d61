import { RelayFault } from '../../wire/fault.ts'
import { tagOf, UIDS } from '../formats/dicom-dictionary.ts'
import { decimalText, DicomItems } from './dicom-encoding.ts'
import { derivedUid, studyUidOf } from './dicom-uids.ts'
import { srgbProfile } from './srgb-profile.ts'
import type { SlideLevel } from '../../wire/slide.ts'
import type { DicomDataSet } from './dicom-encoding.ts'
import type { DicomwebSlide, LevelLengths } from './dicomweb-source.ts'
import type { FrameOrder } from './frame-order.ts'

/** One level of a slide as an instance. */
export interface WsmInstance {
  readonly slide: DicomwebSlide
  /** 0 is the finest. */
  readonly level: number
  readonly shape: SlideLevel
  readonly frames: FrameOrder
  readonly lengths: LevelLengths
  readonly transferSyntax: string
  readonly sopInstanceUid: string
}

/** Nothing says how thick the layer in focus is: a nominal value, in millimetres. */
const NOMINAL_THICKNESS = 0.001
const PROFILE = srgbProfile()

const pad = (value: number, width = 2): string => String(value).padStart(width, '0')

/** Date and time in UTC as DA and TM. @see PS3.5 section 6.2 */
export function dateAndTime(millisSinceEpoch: number): { readonly date: string; readonly time: string } {
  const at = new Date(millisSinceEpoch)
  return {
    date: pad(at.getUTCFullYear(), 4) + pad(at.getUTCMonth() + 1) + pad(at.getUTCDate()),
    time: pad(at.getUTCHours()) + pad(at.getUTCMinutes()) + pad(at.getUTCSeconds()),
  }
}

const code = (value: string, scheme: string, meaning: string): DicomItems => DicomItems.of({ CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning })

/** Attributes that all instances of a slide share: patient, study, series, equipment, specimen. @see PS3.3 sections C.7.1.1, C.7.2.1, C.7.3.1, C.7.4.1, C.7.5.2 and C.7.6.22 */
export function slideAttributes({ structure: { slideId, pseudonym }, createdAtMillis }: DicomwebSlide): DicomDataSet {
  const { date, time } = dateAndTime(createdAtMillis)
  return {
    PatientName: pseudonym,
    PatientID: pseudonym,
    PatientBirthDate: undefined,
    PatientSex: undefined,
    PatientIdentityRemoved: 'YES',
    DeidentificationMethod: 'kenkyo: only what shows the picture is kept',
    StudyInstanceUID: studyUidOf(slideId),
    StudyDate: date,
    StudyTime: time,
    ReferringPhysicianName: undefined,
    StudyID: undefined,
    AccessionNumber: undefined,
    Modality: 'SM',
    SeriesInstanceUID: derivedUid(slideId, 'series'),
    SeriesNumber: 1,
    FrameOfReferenceUID: derivedUid(slideId, 'frame-of-reference'),
    PositionReferenceIndicator: 'SLIDE_CORNER',
    Manufacturer: 'kenkyo',
    ManufacturerModelName: 'whole slide relay',
    DeviceSerialNumber: 'none',
    SoftwareVersions: 'kenkyo',
    ContentDate: date,
    ContentTime: time,
    AcquisitionDateTime: `${date}${time}+0000`,
    TimezoneOffsetFromUTC: '+0000',
    AcquisitionContextSequence: DicomItems.of(),
    ContainerIdentifier: pseudonym,
    IssuerOfTheContainerIdentifierSequence: DicomItems.of(),
    ContainerTypeCodeSequence: code('433466003', 'SCT', 'Microscope slide'),
    SpecimenDescriptionSequence: DicomItems.of({
      SpecimenIdentifier: pseudonym,
      SpecimenUID: derivedUid(slideId, 'specimen'),
      IssuerOfTheSpecimenIdentifierSequence: DicomItems.of(),
      SpecimenPreparationSequence: DicomItems.of(),
    }),
  }
}

/**
 * The data set of one instance without its pixel data.
 *
 * @param firstFrame - Of a JPEG 2000 level: its header says how colours are coded. Else unused.
 * @see PS3.3 sections A.32.8, C.8.12.4 and C.8.12.5
 */
export function wsmDataSet(instance: WsmInstance, firstFrame: Uint8Array): DicomDataSet {
  const { slide, level, shape, frames, sopInstanceUid } = instance
  const { levels, micronsPerPixel } = slide.structure
  const finest = levels[0] ?? shape
  const imageType = [level === 0 ? 'ORIGINAL' : 'DERIVED', 'PRIMARY', 'VOLUME', level === 0 ? 'NONE' : 'RESAMPLED']
  return {
    ...slideAttributes(slide),
    ...pixelAttributes(instance, firstFrame),
    ImageType: imageType,
    SOPClassUID: UIDS.wholeSlideMicroscopy,
    SOPInstanceUID: sopInstanceUid,
    InstanceNumber: level + 1,
    VolumetricProperties: micronsPerPixel === null ? 'DISTORTED' : 'VOLUME',
    // In millimetres; 0 where nobody knows.
    ImagedVolumeWidth: ((micronsPerPixel?.x ?? 0) * finest.width) / 1000,
    ImagedVolumeHeight: ((micronsPerPixel?.y ?? 0) * finest.height) / 1000,
    ImagedVolumeDepth: NOMINAL_THICKNESS * 1000,
    TotalPixelMatrixColumns: shape.width,
    TotalPixelMatrixRows: shape.height,
    TotalPixelMatrixOriginSequence: DicomItems.of({ XOffsetInSlideCoordinateSystem: 0, YOffsetInSlideCoordinateSystem: 0 }),
    ImageOrientationSlide: [0, -1, 0, -1, 0, 0],
    SpecimenLabelInImage: 'NO',
    BurnedInAnnotation: 'NO',
    FocusMethod: 'AUTO',
    ExtendedDepthOfField: 'NO',
    ...(frames.isSparse ? {} : { NumberOfOpticalPaths: 1, TotalPixelMatrixFocalPlanes: 1 }),
    OpticalPathSequence: opticalPath(instance),
    ...dimensions(instance),
    SharedFunctionalGroupsSequence: sharedGroups(instance, imageType),
    ...(frames.isSparse ? { PerFrameFunctionalGroupsSequence: perFrameGroups(instance) } : {}),
  }
}

/** @see PS3.3 section C.7.6.3 */
function pixelAttributes({ shape, lengths, frames }: WsmInstance, firstFrame: Uint8Array): DicomDataSet {
  const { encoding, width, height, tileWidth, tileHeight } = shape
  const isGrey = encoding.photometric === 'grey'
  const samples = isGrey ? 1 : 3
  return {
    SamplesPerPixel: samples,
    PhotometricInterpretation: encoding.compression === 'jpeg' || isGrey ? { grey: 'MONOCHROME2', rgb: 'RGB', ycbcr: 'YBR_FULL_422' }[encoding.photometric] : jpeg2000Colour(firstFrame, encoding.photometric === 'rgb'),
    ...(isGrey ? { RescaleIntercept: 0, RescaleSlope: 1 } : { PlanarConfiguration: 0 }),
    NumberOfFrames: frames.frames,
    Rows: tileHeight,
    Columns: tileWidth,
    BitsAllocated: 8,
    BitsStored: 8,
    HighBit: 7,
    PixelRepresentation: 0,
    LossyImageCompression: '01',
    LossyImageCompressionRatio: (samples * width * height) / Math.max(1, lengths.total),
    LossyImageCompressionMethod: encoding.compression === 'jpeg' ? 'ISO_10918_1' : 'ISO_15444_1',
  }
}

/** @see ITU-T T.800 section A.6.1; PS3.5 section 8.2.4 */
function jpeg2000Colour(codestream: Uint8Array, isRgb: boolean): string {
  const bytes = Buffer.from(codestream.buffer, codestream.byteOffset, Math.min(codestream.length, 64 * 1024))
  if (bytes.length < 4 || bytes.readUInt32BE(0) !== 0xff4f_ff51) throw new RelayFault('bad_slide', 'a tile is no JPEG 2000 codestream')
  for (let at = 2; at + 14 <= bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
    if (bytes.readUInt16BE(at) !== 0xff52) continue
    const isTransformed = bytes[at + 8] === 1
    if (isTransformed) return bytes[at + 13] === 1 ? 'YBR_RCT' : 'YBR_ICT'
    break
  }
  return isRgb ? 'RGB' : 'YBR_FULL_422'
}

/** @see PS3.3 section C.8.12.5 */
function opticalPath({ slide: { structure }, shape }: WsmInstance): DicomItems {
  return DicomItems.of({
    OpticalPathIdentifier: '1',
    IlluminationTypeCodeSequence: code('111744', 'DCM', 'Brightfield illumination'),
    IlluminationColorCodeSequence: code('414298005', 'SCT', 'Full Spectrum'),
    ...(shape.encoding.photometric === 'grey' ? {} : { ICCProfile: PROFILE, ColorSpace: 'SRGB' }),
    ...(structure.objectivePower === null ? {} : { ObjectiveLensPower: structure.objectivePower }),
  })
}

/** @see PS3.3 section C.7.6.17 */
function dimensions({ slide: { structure }, frames }: WsmInstance): DicomDataSet {
  const uid = derivedUid(structure.slideId, 'dimension-organization')
  const index = (pointer: number): DicomDataSet => ({ DimensionOrganizationUID: uid, DimensionIndexPointer: pointer, FunctionalGroupPointer: tagOf('PlanePositionSlideSequence') })
  return {
    DimensionOrganizationSequence: DicomItems.of({ DimensionOrganizationUID: uid }),
    DimensionOrganizationType: frames.isSparse ? 'TILED_SPARSE' : 'TILED_FULL',
    DimensionIndexSequence: DicomItems.of(index(tagOf('ColumnPositionInTotalImagePixelMatrix')), index(tagOf('RowPositionInTotalImagePixelMatrix'))),
  }
}

/** Millimetres between pixels of the instance's level. */
function spacingOf({ slide: { structure }, shape }: WsmInstance): { readonly x: number; readonly y: number } | undefined {
  const [finest] = structure.levels
  if (structure.micronsPerPixel === null || finest === undefined) return undefined
  return { x: (structure.micronsPerPixel.x * finest.width) / shape.width / 1000, y: (structure.micronsPerPixel.y * finest.height) / shape.height / 1000 }
}

/** @see PS3.3 sections C.7.6.16.2.1, C.8.12.6.2 and C.8.12.9 */
function sharedGroups(instance: WsmInstance, frameType: readonly string[]): DicomItems {
  const spacing = spacingOf(instance)
  return DicomItems.of({
    PixelMeasuresSequence: DicomItems.of({ ...(spacing === undefined ? {} : { PixelSpacing: [decimalText(spacing.y), decimalText(spacing.x)] }), SliceThickness: NOMINAL_THICKNESS }),
    WholeSlideMicroscopyImageFrameTypeSequence: DicomItems.of({ FrameType: frameType }),
    OpticalPathIdentificationSequence: DicomItems.of({ OpticalPathIdentifier: '1' }),
  })
}

/** Where each frame of a sparse level stands. @see PS3.3 section C.8.12.6.1 */
function perFrameGroups(instance: WsmInstance): DicomItems {
  const { frames, shape } = instance
  const spacing = spacingOf(instance) ?? { x: 0, y: 0 }
  return new DicomItems(function* () {
    for (const { column, row } of frames.positions()) {
      const [x, y] = [column * shape.tileWidth, row * shape.tileHeight]
      yield {
        FrameContentSequence: DicomItems.of({ DimensionIndexValues: [column + 1, row + 1] }),
        PlanePositionSlideSequence: DicomItems.of({
          // Rows run against Y, columns against X: see Image Orientation (Slide).
          XOffsetInSlideCoordinateSystem: -y * spacing.y,
          YOffsetInSlideCoordinateSystem: -x * spacing.x,
          ZOffsetInSlideCoordinateSystem: 0,
          ColumnPositionInTotalImagePixelMatrix: x + 1,
          RowPositionInTotalImagePixelMatrix: y + 1,
        }),
      }
    }
  })
}
