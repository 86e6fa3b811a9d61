import { writeFile } from 'node:fs/promises'
import { ATTRIBUTES, UIDS } from '../../relay/slides/formats/dicom-dictionary.ts'
import { pictureJpeg } from './planted-tiff.ts'
import type { Keyword } from '../../relay/slides/formats/dicom-dictionary.ts'

/** Where in a DICOM file something stands besides the picture. */
export interface DicomPlants {
  readonly preamble?: Buffer
  /** Encoded, in any order. */
  readonly elements?: readonly { readonly tag: number; readonly bytes: Buffer }[]
  readonly meta?: readonly { readonly tag: number; readonly bytes: Buffer }[]
  /** In the item of the optical path. */
  readonly opticalPath?: Buffer
  readonly frame?: (jpeg: Buffer) => Buffer
}

const LONG_VRS: ReadonlySet<string> = new Set(['OB', 'OW', 'OV', 'SQ', 'UC', 'UN', 'UR', 'UT'])

/** One data element, explicit VR little endian. @see PS3.5 section 7.1.2 */
export function element(tag: number, vr: string, value: Buffer | string): { readonly tag: number; readonly bytes: Buffer } {
  const plain = Buffer.isBuffer(value) ? value : Buffer.from(value, 'latin1')
  const padded = plain.length % 2 === 0 ? plain : Buffer.concat([plain, Buffer.of(vr === 'UI' || vr === 'OB' ? 0 : 0x20)])
  const header = Buffer.alloc(LONG_VRS.has(vr) ? 12 : 8)
  header.writeUInt16LE(tag >>> 16, 0)
  header.writeUInt16LE(tag & 0xffff, 2)
  header.write(vr, 4, 'latin1')
  if (LONG_VRS.has(vr)) header.writeUInt32LE(padded.length, 8)
  else header.writeUInt16LE(padded.length, 6)
  return { tag, bytes: Buffer.concat([header, padded]) }
}

/** A sequence of one item. */
export function sequence(tag: number, item: Buffer): { readonly tag: number; readonly bytes: Buffer } {
  const header = Buffer.from('feff00e000000000', 'hex')
  header.writeUInt32LE(item.length, 4)
  return element(tag, 'SQ', Buffer.concat([header, item]))
}

/** By keyword. */
export const named = (keyword: Keyword, value: Buffer | string): { readonly tag: number; readonly bytes: Buffer } => element(ATTRIBUTES[keyword][0], ATTRIBUTES[keyword][1], value)

const short = (value: number): Buffer => Buffer.of(value & 0xff, value >> 8)
const long = (value: number): Buffer => Buffer.of(value & 0xff, (value >> 8) & 0xff, 0, 0)

/** Writes a slide of one level of two tiles. */
export async function writePlantedDicom(path: string, { preamble = Buffer.alloc(0), elements = [], meta = [], opticalPath = Buffer.alloc(0), frame = jpeg => jpeg }: DicomPlants): Promise<void> {
  const metaElements = joined([named('MediaStorageSOPClassUID', UIDS.wholeSlideMicroscopy), named('MediaStorageSOPInstanceUID', '1.2.3.4'), named('TransferSyntaxUID', UIDS.jpegBaseline), ...meta])
  const planted = new Set(elements.map(({ tag }) => tag))
  const shown = [
    named('SOPClassUID', UIDS.wholeSlideMicroscopy), named('SOPInstanceUID', '1.2.3.4'), named('ImageType', 'ORIGINAL\\PRIMARY\\VOLUME\\NONE'), named('SeriesInstanceUID', '1.2.3'),
    named('DimensionOrganizationType', 'TILED_FULL'), named('SamplesPerPixel', short(3)), named('PhotometricInterpretation', 'YBR_FULL_422'), named('PlanarConfiguration', short(0)),
    named('NumberOfFrames', '2'), named('Rows', short(64)), named('Columns', short(64)), named('BitsAllocated', short(8)), named('BitsStored', short(8)), named('HighBit', short(7)),
    named('TotalPixelMatrixColumns', long(128)), named('TotalPixelMatrixRows', long(64)), named('ImagedVolumeWidth', floatOf(0.064)), named('ImagedVolumeHeight', floatOf(0.032)),
    sequence(ATTRIBUTES.OpticalPathSequence[0], Buffer.concat([named('ObjectiveLensPower', '20').bytes, opticalPath])),
  ].filter(({ tag }) => !planted.has(tag))
  const jpeg = frame(await pictureJpeg())
  const item = (bytes: Buffer): Buffer => {
    const padded = bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)])
    const header = Buffer.from('feff00e000000000', 'hex')
    header.writeUInt32LE(padded.length, 4)
    return Buffer.concat([header, padded])
  }
  const pixels = Buffer.concat([Buffer.from('e07f10004f420000ffffffff', 'hex'), item(Buffer.alloc(0)), item(jpeg), item(jpeg), Buffer.from('feffdde000000000', 'hex')])
  const last = elements.filter(({ tag }) => tag > ATTRIBUTES.PixelData[0])
  await writeFile(path, Buffer.concat([
    Buffer.concat([preamble, Buffer.alloc(128)]).subarray(0, 128), Buffer.from('DICM'),
    element(0x0002_0000, 'UL', Buffer.of(metaElements.length & 0xff, metaElements.length >> 8, 0, 0)).bytes, metaElements,
    joined([...shown, ...elements.filter(one => !last.includes(one))]), pixels, joined(last),
  ]))
}

const joined = (elements: readonly { readonly tag: number; readonly bytes: Buffer }[]): Buffer => Buffer.concat(elements.toSorted((a, b) => a.tag - b.tag).map(({ bytes }) => bytes))

function floatOf(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}
