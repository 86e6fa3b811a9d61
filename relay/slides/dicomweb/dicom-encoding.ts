import { ATTRIBUTES, tagDigits } from '../formats/dicom-dictionary.ts'
import type { Keyword, Vr } from '../formats/dicom-dictionary.ts'

/** The value of an attribute: text or numbers, one or several; bytes; or the items of a sequence, which may be made while they are written. `undefined` is present and empty. */
export type DicomValue = string | number | readonly string[] | readonly number[] | Uint8Array | DicomItems | undefined
/** The items of a sequence. A class, so that no array of text passes for one. */
export class DicomItems {
  readonly #items: () => Iterable<DicomDataSet>

  constructor(items: () => Iterable<DicomDataSet>) {
    this.#items = items
  }

  /** A sequence of these items. */
  static of(...items: DicomDataSet[]): DicomItems {
    return new DicomItems(() => items)
  }

  [Symbol.iterator](): Iterator<DicomDataSet> {
    return this.#items()[Symbol.iterator]()
  }
}
/** Attributes by keyword, in any order. All text is ASCII. */
export type DicomDataSet = { readonly [Key in Keyword]?: DicomValue }

interface Attribute {
  readonly tag: number
  readonly vr: Vr
  readonly value: DicomValue
}

const LONG_VRS: ReadonlySet<Vr> = new Set<Vr>(['OB', 'OV', 'OW', 'SQ', 'UC', 'UR', 'UT'])
const UNDEFINED = 0xffff_ffff

/** Tags of what delimits items. @see PS3.5 section 7.5 */
export const ITEM = 0xfffe_e000
export const ITEM_END = 0xfffe_e00d
export const SEQUENCE_END = 0xfffe_e0dd

function attributesOf(dataSet: DicomDataSet): Attribute[] {
  const attributes = Object.entries(dataSet).map(([keyword, value]) => {
    const [tag, vr] = ATTRIBUTES[keyword as Keyword]
    return { tag, vr, value }
  })
  return attributes.sort((a, b) => a.tag - b.tag)
}

/** A data set in explicit VR little endian, piece by piece; sequences are of undefined length. @see PS3.5 section 7 */
export function* encodeDataSet(dataSet: DicomDataSet): Generator<Buffer> {
  for (const { tag, vr, value } of attributesOf(dataSet)) {
    if (value instanceof DicomItems) {
      yield elementHeader(tag, vr, UNDEFINED)
      for (const item of value) yield Buffer.concat([delimiter(ITEM, UNDEFINED), ...encodeDataSet(item), delimiter(ITEM_END, 0)])
      yield delimiter(SEQUENCE_END, 0)
    } else {
      const bytes = encodeValue(vr, value)
      yield Buffer.concat([elementHeader(tag, vr, bytes.length), bytes])
    }
  }
}

/** The header of a data element. @see PS3.5 section 7.1.2 */
export function elementHeader(tag: number, vr: Vr, length: number): Buffer {
  const header = Buffer.alloc(LONG_VRS.has(vr) ? 12 : 8)
  writeTag(header, tag, 0)
  header.write(vr, 4, 'latin1')
  if (LONG_VRS.has(vr)) header.writeUInt32LE(length, 8)
  else header.writeUInt16LE(length, 6)
  return header
}

/** The header of an item or the end of one. @see PS3.5 section 7.5 */
export function delimiter(tag: number, length: number): Buffer {
  const bytes = Buffer.alloc(8)
  writeTag(bytes, tag, 0)
  bytes.writeUInt32LE(length, 4)
  return bytes
}

function writeTag(bytes: Buffer, tag: number, at: number): void {
  bytes.writeUInt16LE(tag >>> 16, at)
  bytes.writeUInt16LE(tag & 0xffff, at + 2)
}

/** A number as decimal text of at most 16 characters. @see PS3.5 section 6.2, DS */
export const decimalText = (value: number): string => String(Number(value.toPrecision(9)))

function encodeValue(vr: Vr, value: Exclude<DicomValue, DicomItems>): Buffer {
  if (value === undefined) return Buffer.alloc(0)
  if (value instanceof Uint8Array) return value.length % 2 === 0 ? Buffer.from(value) : Buffer.concat([value, Buffer.of(0)])
  const values = typeof value === 'object' ? value : [value]
  const width = BINARY_WIDTHS[vr]
  if (width === undefined) {
    const text = values.map(one => (typeof one === 'number' ? decimalText(one) : one)).join('\\')
    return Buffer.from(text.length % 2 === 0 ? text : text + (vr === 'UI' ? '\0' : ' '), 'latin1')
  }
  const bytes = Buffer.alloc(values.length * width)
  for (const [index, one] of values.entries()) writeBinary(bytes, vr, Number(one), index * width)
  return bytes
}

const BINARY_WIDTHS: Partial<Record<Vr, number>> = { US: 2, UL: 4, SL: 4, FL: 4, FD: 8, AT: 4 }

function writeBinary(bytes: Buffer, vr: Vr, value: number, at: number): void {
  if (vr === 'US') bytes.writeUInt16LE(value, at)
  else if (vr === 'UL') bytes.writeUInt32LE(value, at)
  else if (vr === 'SL') bytes.writeInt32LE(value, at)
  else if (vr === 'FL') bytes.writeFloatLE(value, at)
  else if (vr === 'FD') bytes.writeDoubleLE(value, at)
  else writeTag(bytes, value, at)
}

/** A data set in the DICOM JSON model, piece by piece. @see PS3.18 section F.2 */
export function* dicomJson(dataSet: DicomDataSet): Generator<string> {
  let separator = '{'
  for (const { tag, vr, value } of attributesOf(dataSet)) {
    yield `${separator}"${tagDigits(tag)}":`
    separator = ','
    if (value instanceof DicomItems) {
      let between = '{"vr":"SQ","Value":['
      for (const item of value) {
        yield between + [...dicomJson(item)].join('')
        between = ','
      }
      yield between === ',' ? ']}' : '{"vr":"SQ"}'
    } else yield JSON.stringify(jsonValue(vr, value))
  }
  yield separator === '{' ? '{}' : '}'
}

/** @see PS3.18 sections F.2.2 to F.2.7 */
function jsonValue(vr: Vr, value: Exclude<DicomValue, DicomItems>): unknown {
  if (value === undefined || value === '') return { vr }
  if (value instanceof Uint8Array) return { vr, InlineBinary: Buffer.from(value).toString('base64') }
  const values: readonly (string | number)[] = typeof value === 'object' ? value : [value]
  return { vr, Value: values.map(one => jsonScalar(vr, one)) }
}

function jsonScalar(vr: Vr, value: string | number): unknown {
  if (vr === 'PN') return { Alphabetic: value }
  if (vr === 'DS' || vr === 'IS') return Number(typeof value === 'number' ? decimalText(value) : value)
  if (vr === 'AT') return tagDigits(Number(value))
  return value
}
