import { RelayFault } from '../../wire/fault.ts'
import { SLIDE_LIMITS } from '../../wire/slide.ts'
import { BytesMissing, DICOM_LIMITS, isLongVr } from './dicom-data-set.ts'
import { tagOf } from './dicom-dictionary.ts'

const UNDEFINED = 0xffff_ffff
const ITEM = 0xfffe_e000
const ITEM_END = 0xfffe_e00d
const SEQUENCE_END = 0xfffe_e0dd
const [PLANE_POSITION, COLUMN, ROW, PIXEL_DATA] = [tagOf('PlanePositionSlideSequence'), tagOf('ColumnPositionInTotalImagePixelMatrix'), tagOf('RowPositionInTotalImagePixelMatrix'), tagOf('PixelData')]
const [SL, SQ, UN] = [0x534c, 0x5351, 0x554e]

const bad = (message: string): RelayFault => new RelayFault('bad_slide', `DICOM: ${message}`)

/** Where in the tree of a frame's functional groups an item is. */
type Place = 'frame' | 'position' | 'elsewhere'

/**
 * Where the frames of a sparse level stand, read out of its per-frame functional groups item by item. A level has
 * hundreds of thousands of frames, each with a dozen attributes: no object is made for any of them.
 *
 * @see PS3.3 section C.8.12.6.1
 */
export class FramePositions {
  #columns = new Int32Array(1024)
  #rows = new Int32Array(1024)
  #count = 0
  #column = 0
  #row = 0

  /** Frames that said where they are. */
  get count(): number {
    return this.#count
  }

  /** Column of the top left pixel of a frame, from 1; 0 where the frame does not say. */
  column(frame: number): number {
    return this.#columns[frame] ?? 0
  }

  /** Row of the same. */
  row(frame: number): number {
    return this.#rows[frame] ?? 0
  }

  /**
   * Takes the position of the next frame from its item; an `ItemWalk`.
   *
   * @throws {RelayFault} `bad_slide`. {@link BytesMissing}: then nothing was taken.
   */
  take(bytes: Buffer, at: number, length: number): number {
    this.#column = 0
    this.#row = 0
    const end = this.#skipItem(bytes, at, length, false, 1, 'frame')
    this.#push()
    return end
  }

  #push(): void {
    if (this.#count >= SLIDE_LIMITS.tiles) throw bad('more frames than can be')
    if (this.#count === this.#columns.length) {
      this.#columns = doubled(this.#columns)
      this.#rows = doubled(this.#rows)
    }
    this.#columns[this.#count] = this.#column
    this.#rows[this.#count] = this.#row
    this.#count++
  }

  #skipItem(bytes: Buffer, start: number, length: number, isImplicit: boolean, depth: number, place: Place): number {
    if (depth > DICOM_LIMITS.depth) throw bad('sequences are nested too deep')
    const end = length === UNDEFINED ? Infinity : start + length
    need(bytes, length === UNDEFINED ? start + 8 : end)
    // Nobody wants what stands there.
    if (length !== UNDEFINED && place === 'elsewhere') return end
    let at = start
    while (at < end) {
      need(bytes, at + 8)
      if (tagAt(bytes, at) === ITEM_END && length === UNDEFINED) return at + 8
      at = this.#skipElement(bytes, at, end, isImplicit, depth, place)
    }
    return at
  }

  #skipElement(bytes: Buffer, start: number, end: number, isImplicit: boolean, depth: number, place: Place): number {
    const tag = tagAt(bytes, start)
    if (tag >= ITEM) throw bad('a delimiter stands where an attribute should')
    const vr = isImplicit ? UN : vrAt(bytes, start + 4)
    const isLong = !isImplicit && isLongVr(vr)
    if (isLong) need(bytes, start + 12)
    const at = start + (isLong ? 12 : 8)
    const length = isImplicit ? bytes.readUInt32LE(start + 4) : isLong ? bytes.readUInt32LE(start + 8) : bytes.readUInt16LE(start + 6)
    const isPosition = place === 'frame' && tag === PLANE_POSITION && (vr === SQ || vr === UN)
    if (length === UNDEFINED) {
      if (tag === PIXEL_DATA) throw bad('pixel data stands in a sequence')
      if (vr !== SQ && vr !== UN) throw bad('an attribute that is no sequence has no length')
      return this.#skipSequence(bytes, at, Infinity, isImplicit || vr === UN, depth + 1, isPosition)
    }
    if (length > end - at) throw bad('an attribute is longer than what it stands in')
    need(bytes, at + length)
    if (isPosition) return this.#skipSequence(bytes, at, at + length, isImplicit || vr === UN, depth + 1, true)
    if (place === 'position' && vr === SL && length >= 4) {
      if (tag === COLUMN) this.#column = bytes.readInt32LE(at)
      else if (tag === ROW) this.#row = bytes.readInt32LE(at)
    }
    return at + length
  }

  /** @param end - Infinity for one that ends with its delimiter. */
  #skipSequence(bytes: Buffer, start: number, end: number, isImplicit: boolean, depth: number, isPosition: boolean): number {
    if (depth > DICOM_LIMITS.depth) throw bad('sequences are nested too deep')
    let [at, isFirst] = [start, true]
    while (at < end) {
      need(bytes, at + 8)
      const [tag, length] = [tagAt(bytes, at), bytes.readUInt32LE(at + 4)]
      at += 8
      if (tag === SEQUENCE_END) return end === Infinity ? at : end
      if (tag !== ITEM) throw bad('a sequence has something other than items')
      if (length !== UNDEFINED && length > end - at) throw bad('an item is longer than its sequence')
      at = this.#skipItem(bytes, at, length, isImplicit, depth + 1, isPosition && isFirst ? 'position' : 'elsewhere')
      isFirst = false
    }
    if (at > end) throw bad('an item is longer than its sequence')
    return at
  }
}

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length)
  larger.set(array)
  return larger
}

const tagAt = (bytes: Buffer, at: number): number => bytes.readUInt16LE(at) * 0x1_0000 + bytes.readUInt16LE(at + 2)

function vrAt(bytes: Buffer, at: number): number {
  const [first, second] = [bytes[at] ?? 0, bytes[at + 1] ?? 0]
  if (first < 0x41 || first > 0x5a || second < 0x41 || second > 0x5a) throw bad('an attribute has no value representation')
  return first * 256 + second
}

function need(bytes: Buffer, until: number): void {
  if (until > bytes.length) throw new BytesMissing(until)
}
