import { delimiter, DicomItems, elementHeader, encodeDataSet, ITEM, SEQUENCE_END } from '../../relay/slides/dicomweb/dicom-encoding.ts'
import { tagOf, UIDS } from '../../relay/slides/formats/dicom-dictionary.ts'
import type { DicomDataSet } from '../../relay/slides/dicomweb/dicom-encoding.ts'

/** How a DICOM file for a test is made. */
export interface DicomFileOptions {
  readonly frames: readonly Buffer[]
  readonly dataSet?: DicomDataSet
  readonly transferSyntax?: string
  readonly sopClass?: string
  readonly table?: 'none' | 'basic' | 'extended'
  /** Into how many fragments a frame is cut. */
  readonly fragments?: number
}

const OPEN = 0xffff_ffff

/** A level of 2×1 tiles of 64 pixels, with a patient. */
export const wsmAttributes = (frames: number): DicomDataSet => ({
  ImageType: ['ORIGINAL', 'PRIMARY', 'VOLUME', 'NONE'],
  SOPClassUID: UIDS.wholeSlideMicroscopy,
  SOPInstanceUID: '1.2.3.1',
  PatientName: 'YAMADA^TARO',
  PatientID: 'P-4711',
  AccessionNumber: undefined,
  StudyInstanceUID: '1.2.3',
  SeriesInstanceUID: '1.2.3.4',
  DimensionOrganizationType: 'TILED_FULL',
  SamplesPerPixel: 3,
  PhotometricInterpretation: 'RGB',
  NumberOfFrames: frames,
  Rows: 64,
  Columns: 64,
  BitsAllocated: 8,
  TotalPixelMatrixColumns: 100,
  TotalPixelMatrixRows: 60,
  OpticalPathSequence: DicomItems.of({ ObjectiveLensPower: 20 }),
  SharedFunctionalGroupsSequence: DicomItems.of({ PixelMeasuresSequence: DicomItems.of({ PixelSpacing: ['0.0005', '0.00025'] }) }),
})

/** The bytes of a DICOM file with encapsulated frames. */
export function dicomFile({ frames, dataSet = {}, transferSyntax = UIDS.jpegBaseline, sopClass = UIDS.wholeSlideMicroscopy, table = 'none', fragments = 1 }: DicomFileOptions): Buffer {
  const items = frames.map(frame => {
    const length = Math.ceil(frame.length / fragments / 2) * 2
    return Buffer.concat(Array.from({ length: fragments }, (_, index) => frame.subarray(index * length, (index + 1) * length)).flatMap(part => [delimiter(ITEM, part.length + (part.length % 2)), part, Buffer.alloc(part.length % 2)]))
  })
  let at = 0
  const offsets = items.map(item => (at += item.length) - item.length)
  const basic = Buffer.alloc(table === 'basic' ? 4 * frames.length : 0)
  if (table === 'basic') for (const [index, offset] of offsets.entries()) basic.writeUInt32LE(offset, 4 * index)
  const extended = Buffer.alloc(8 * frames.length)
  for (const [index, offset] of offsets.entries()) extended.writeBigUInt64LE(BigInt(offset), 8 * index)
  const meta = encodeDataSet({ MediaStorageSOPClassUID: sopClass, MediaStorageSOPInstanceUID: '1.2.3.1', TransferSyntaxUID: transferSyntax })
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    ...meta,
    ...encodeDataSet({ ...wsmAttributes(frames.length), ...dataSet, ...(table === 'extended' ? { ExtendedOffsetTable: extended } : {}) }),
    elementHeader(tagOf('PixelData'), 'OB', OPEN),
    delimiter(ITEM, basic.length),
    basic,
    ...items,
    delimiter(SEQUENCE_END, 0),
  ])
}
