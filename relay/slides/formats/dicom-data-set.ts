import { RelayFault } from '../../wire/fault.ts'
import { tagOf } from './dicom-dictionary.ts'
import type { Keyword } from './dicom-dictionary.ts'
import type { SequencePlace } from './sequence-windows.ts'

/** Bounds of what a DICOM file may claim. */
export const DICOM_LIMITS = {
  /** From the start of a file to its pixel data, without what is said of each frame. */
  headerBytes: 48 * 1024 * 1024,
  /** Sequences in sequences. */
  depth: 16,
  /** Attributes at the top of a data set. */
  elements: 2048,
  /** Files of a directory that are looked at. */
  files: 1024,
} as const

/** One data element: where its value stands in the bytes read. */
export interface DataElement {
  readonly tag: number
  /** Two letters, as the file says; `UN` in implicit VR. */
  readonly vr: string
  /** Where its tag stands. */
  readonly startAt: number
  readonly valueAt: number
  /** In bytes; of undefined length up to its delimiter. */
  readonly length: number
  /** Where the next element stands. */
  readonly endAt: number
  /** Items are implicit VR little endian. @see PS3.5 section 6.2.2 note 2 */
  readonly isImplicit: boolean
}

/** A run of data elements: a whole data set or one item. */
export interface ElementRange {
  readonly start: number
  readonly end: number
  readonly isImplicit: boolean
}

/** Says that the file goes on where the bytes read end. Whoever reads the file reads more and begins again. */
export class BytesMissing extends Error {
  override readonly name = 'BytesMissing'
  /** Offset in the file up to which bytes are needed. */
  readonly until: number

  constructor(until: number) {
    super('more of the file is needed')
    this.until = until
  }
}

/** Says that the functional groups of the frames begin where the bytes read end: whoever reads the file walks them, and reads on after them. */
export class FrameGroupsAhead extends Error {
  override readonly name = 'FrameGroupsAhead'
  readonly place: SequencePlace

  constructor(place: SequencePlace) {
    super('the functional groups of frames are not read at once')
    this.place = place
  }
}

const ITEM = 0xfffe_e000
const ITEM_END = 0xfffe_e00d
const SEQUENCE_END = 0xfffe_e0dd
const UNDEFINED = 0xffff_ffff
const FRAME_GROUPS = tagOf('PerFrameFunctionalGroupsSequence')
/** Value representations whose length has 32 bits. @see PS3.5 section 7.1.2 */
const LONG_VRS: ReadonlySet<string> = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'])

const LONG_VR_NUMBERS: ReadonlySet<number> = new Set([...LONG_VRS].map(vr => vr.charCodeAt(0) * 256 + vr.charCodeAt(1)))

/** Whether the length of a value has 32 bits. @param vr - Its two letters as a number, the first in the high byte. */
export const isLongVr = (vr: number): boolean => LONG_VR_NUMBERS.has(vr)

const bad = (message: string): RelayFault => new RelayFault('bad_slide', `DICOM: ${message}`)

/**
 * The beginning of a file, in which data elements are found without copying them. The value of the per-frame functional
 * groups at the top of the data set is not in it: the element is there, and empty. @see PS3.5 section 7
 */
export class DicomBytes {
  readonly bytes: Buffer
  /** Of the whole file, in bytes, without the value that is left out. */
  readonly #fileSize: number
  /** Where the value that is left out would stand. */
  readonly #gapAt: number | undefined
  /** By their two letters as a number. */
  readonly #vrs: Record<number, string> = {}

  constructor(bytes: Buffer, fileSize: number, gapAt?: number) {
    this.bytes = bytes
    this.#fileSize = fileSize
    this.#gapAt = gapAt
  }

  /** Data elements of a range, in its order, up to encapsulated pixel data, which is the last. @throws {RelayFault} `bad_slide`; {@link BytesMissing}. */
  *elements(range: ElementRange, depth = 0): Generator<DataElement> {
    let at = range.start
    while (at < range.end) {
      const element = this.#elementAt(at, range, depth)
      yield element
      if (element.length === UNDEFINED) return
      at = element.endAt
    }
  }

  /** The element of a keyword, if the range has it. */
  find(range: ElementRange, keyword: Keyword): DataElement | undefined {
    const tag = tagOf(keyword)
    for (const element of this.elements(range)) {
      if (element.tag === tag) return element
      // Tags ascend. @see PS3.5 section 7.1
      if (element.tag > tag) return undefined
    }
    return undefined
  }

  /** Items of a sequence, one after the other. */
  *items(sequence: DataElement, depth = 0): Generator<ElementRange> {
    const end = sequence.valueAt + sequence.length
    let at = sequence.valueAt
    while (at < end) {
      const { tag, length } = this.#delimiterAt(at)
      if (tag === SEQUENCE_END) return
      if (tag !== ITEM) throw bad('a sequence has something other than items')
      const start = at + 8
      if (length === UNDEFINED) {
        const after = this.#skipItem(start, end, sequence.isImplicit, depth + 1)
        yield { start, end: after - 8, isImplicit: sequence.isImplicit }
        at = after
      } else {
        if (length > end - start) throw bad('an item is longer than its sequence')
        this.#need(start + length)
        yield { start, end: start + length, isImplicit: sequence.isImplicit }
        at = start + length
      }
    }
  }

  /** The first item of the sequence of a keyword. */
  firstItem(range: ElementRange | undefined, keyword: Keyword): ElementRange | undefined {
    const sequence = range && this.find(range, keyword)
    if (sequence === undefined) return undefined
    for (const item of this.items(sequence)) return item
    return undefined
  }

  /** Text without its padding; empty where the range has none. At most 4096 bytes are looked at. */
  text(range: ElementRange | undefined, keyword: Keyword): string {
    const element = range && this.find(range, keyword)
    if (element === undefined) return ''
    return this.bytes.toString('latin1', element.valueAt, element.valueAt + Math.min(element.length, 4096)).replace(/[\0 ]+$/, '')
  }

  /** Numbers written as decimal text, `undefined` for what is none. @see PS3.5 section 6.2, DS and IS */
  decimals(range: ElementRange | undefined, keyword: Keyword): (number | undefined)[] {
    return this.text(range, keyword)
      .split('\\')
      .map(part => (/^\s*[+-]?\d*\.?\d+([eE][+-]?\d+)?\s*$/.test(part) ? Number(part) : undefined))
  }

  /** A binary number of the dictionary's kind: US, UL, SL or FL. */
  number(range: ElementRange | undefined, keyword: Keyword): number | undefined {
    const element = range && this.find(range, keyword)
    if (element === undefined) return undefined
    if (element.vr === 'US' && element.length >= 2) return this.bytes.readUInt16LE(element.valueAt)
    if (element.length < 4) return undefined
    if (element.vr === 'UL') return this.bytes.readUInt32LE(element.valueAt)
    if (element.vr === 'SL') return this.bytes.readInt32LE(element.valueAt)
    if (element.vr === 'FL') return this.bytes.readFloatLE(element.valueAt)
    return undefined
  }

  #need(until: number): void {
    if (until > this.#fileSize) throw bad('the file is cut off')
    if (until > this.bytes.length) throw new BytesMissing(until)
  }

  /** A level has millions of elements: no text is made for each. */
  #vrAt(at: number): string {
    const letters = this.bytes.readUInt16BE(at)
    const known = this.#vrs[letters]
    if (known !== undefined) return known
    const vr = this.bytes.toString('latin1', at, at + 2)
    if (!/^[A-Z]{2}$/.test(vr)) throw bad('an attribute has no value representation')
    this.#vrs[letters] = vr
    return vr
  }

  #delimiterAt(at: number): { tag: number; length: number } {
    this.#need(at + 8)
    return { tag: this.bytes.readUInt16LE(at) * 0x1_0000 + this.bytes.readUInt16LE(at + 2), length: this.bytes.readUInt32LE(at + 4) }
  }

  #elementAt(at: number, range: ElementRange, depth: number): DataElement {
    this.#need(at + 8)
    const tag = this.bytes.readUInt16LE(at) * 0x1_0000 + this.bytes.readUInt16LE(at + 2)
    if (tag >= ITEM) throw bad('a delimiter stands where an attribute should')
    let [vr, valueAt, length] = ['UN', at + 8, this.bytes.readUInt32LE(at + 4)]
    if (!range.isImplicit) {
      vr = this.#vrAt(at + 4)
      if (LONG_VRS.has(vr)) {
        this.#need(at + 12)
        valueAt = at + 12
        length = this.bytes.readUInt32LE(at + 8)
      } else length = this.bytes.readUInt16LE(at + 6)
    }
    if (depth === 0 && tag === FRAME_GROUPS) {
      if (this.#gapAt === undefined) throw new FrameGroupsAhead({ at: valueAt, length })
      if (this.#gapAt !== valueAt) throw bad('frames have functional groups twice')
      return { tag, vr, startAt: at, valueAt, length: 0, endAt: valueAt, isImplicit: range.isImplicit }
    }
    if (length === UNDEFINED) {
      if (tag === tagOf('PixelData')) return { tag, vr, startAt: at, valueAt, length, endAt: range.end, isImplicit: range.isImplicit }
      if (vr !== 'SQ' && vr !== 'UN') throw bad('an attribute that is no sequence has no length')
      const isImplicit = range.isImplicit || vr === 'UN'
      const after = this.#skipSequence(valueAt, range.end, isImplicit, depth + 1)
      return { tag, vr: 'SQ', startAt: at, valueAt, length: after - 8 - valueAt, endAt: after, isImplicit }
    }
    if (length > range.end - valueAt) throw bad('an attribute is longer than what it stands in')
    // Pixel data that is not encapsulated ends the header; nobody reads it.
    if (tag !== tagOf('PixelData')) this.#need(valueAt + length)
    return { tag, vr, startAt: at, valueAt, length, endAt: valueAt + length, isImplicit: range.isImplicit || vr === 'UN' }
  }

  /** @returns Offset after the delimiter of a sequence of undefined length. */
  #skipSequence(start: number, end: number, isImplicit: boolean, depth: number): number {
    if (depth > DICOM_LIMITS.depth) throw bad('sequences are nested too deep')
    let at = start
    while (at + 8 <= end) {
      const { tag, length } = this.#delimiterAt(at)
      at += 8
      if (tag === SEQUENCE_END) return at
      if (tag !== ITEM) throw bad('a sequence has something other than items')
      if (length === UNDEFINED) at = this.#skipItem(at, end, isImplicit, depth + 1)
      else if (length > end - at) throw bad('an item is longer than its sequence')
      else at += length
    }
    throw bad('a sequence has no end')
  }

  /** @returns Offset after the delimiter of an item of undefined length. */
  #skipItem(start: number, end: number, isImplicit: boolean, depth: number): number {
    if (depth > DICOM_LIMITS.depth) throw bad('sequences are nested too deep')
    let at = start
    while (at + 8 <= end) {
      if (this.#delimiterAt(at).tag === ITEM_END) return at + 8
      const element = this.#elementAt(at, { start: at, end, isImplicit }, depth)
      if (element.length === UNDEFINED) throw bad('pixel data stands in a sequence')
      at = element.endAt
    }
    throw bad('an item has no end')
  }
}
