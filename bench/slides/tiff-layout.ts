/** Bytes of TIFF directories, for slides made to measure and to test with. @see TIFF 6.0 section 2; BigTIFF */

/** One field. Numbers for types 1, 3, 4, 5 (numerator and denominator in turn), 16; bytes for any. */
export interface TiffField {
  readonly tag: number
  readonly type: number
  readonly value: Buffer | readonly number[]
}

/** One image: its fields, and its SubIFDs. */
export interface TiffImage {
  readonly fields: readonly TiffField[]
  readonly children?: readonly TiffImage[]
}

/** Kind and byte order. */
export interface TiffKind {
  readonly isBig: boolean
  readonly isLittleEndian: boolean
}

const WIDTHS: readonly number[] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8]
const SUB_IFDS = 330

/** Text as an ASCII field. */
export const asciiField = (tag: number, text: string): TiffField => ({ tag, type: 2, value: Buffer.from(`${text}\0`) })
/** One or more numbers as SHORT. */
export const shortField = (tag: number, ...value: readonly number[]): TiffField => ({ tag, type: 3, value })
/** One or more numbers as LONG. */
export const longField = (tag: number, ...value: readonly number[]): TiffField => ({ tag, type: 4, value })

/** Lays out directories from one offset on. */
class TiffLayout {
  readonly #kind: TiffKind
  readonly #parts: Buffer[] = []
  #at: number

  constructor(kind: TiffKind, at: number) {
    this.#kind = kind
    this.#at = at
  }

  /** @returns Where the first directory of the chain is. */
  chain(images: readonly TiffImage[]): number {
    let first = 0
    let link: { readonly bytes: Buffer; readonly at: number } | undefined
    for (const image of images) {
      const { offset, bytes } = this.#directory(image)
      if (link === undefined) first = offset
      else this.#put(link.bytes, link.at, this.#kind.isBig ? 16 : 4, offset)
      link = { bytes, at: bytes.length - (this.#kind.isBig ? 8 : 4) }
    }
    return first
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }

  #directory({ fields, children = [] }: TiffImage): { offset: number; bytes: Buffer } {
    const { isBig } = this.#kind
    const subs = children.map(child => this.chain([child]))
    const all = [...fields, ...(subs.length > 0 ? [{ tag: SUB_IFDS, type: isBig ? 18 : 4, value: subs }] : [])].sort((a, b) => a.tag - b.tag)
    const [countBytes, entryBytes, room] = isBig ? [8, 20, 8] : [2, 12, 4]
    const bytes = Buffer.alloc(countBytes + all.length * entryBytes + room)
    this.#put(bytes, 0, isBig ? 16 : 3, all.length)
    for (const [index, { tag, type, value }] of all.entries()) {
      const at = countBytes + index * entryBytes
      const data = Buffer.isBuffer(value) ? value : this.#numbers(type, value)
      this.#put(bytes, at, 3, tag)
      this.#put(bytes, at + 2, 3, type)
      this.#put(bytes, at + 4, isBig ? 16 : 4, data.length / (WIDTHS[type] ?? 1))
      if (data.length <= room) data.copy(bytes, at + entryBytes - room)
      else this.#put(bytes, at + entryBytes - room, isBig ? 16 : 4, this.#append(data))
    }
    return { offset: this.#append(bytes), bytes }
  }

  #append(bytes: Buffer): number {
    // Values begin at even offsets.
    const padding = this.#at % 2
    this.#parts.push(Buffer.alloc(padding), bytes)
    const offset = this.#at + padding
    this.#at = offset + bytes.length
    return offset
  }

  #numbers(type: number, values: readonly number[]): Buffer {
    const width = type === 5 ? 4 : (WIDTHS[type] ?? 1)
    const bytes = Buffer.alloc(width * values.length)
    for (const [index, value] of values.entries()) this.#put(bytes, index * width, type === 5 ? 4 : type, value)
    return bytes
  }

  #put(bytes: Buffer, at: number, type: number, value: number): void {
    const width = WIDTHS[type] ?? 1
    const inOrder = Buffer.alloc(8)
    inOrder.writeBigUInt64LE(BigInt(value))
    const used = inOrder.subarray(0, width)
    bytes.set(this.#kind.isLittleEndian ? used : used.toReversed(), at)
  }
}

/** Bytes before everything else in a file. */
export const headerBytes = ({ isBig }: TiffKind): number => (isBig ? 16 : 8)

/**
 * Directories, to be written at `at`, and the header that leads to the first of them, to be written at 0.
 */
export function layOutTiff(images: readonly TiffImage[], at: number, kind: TiffKind): { readonly header: Buffer; readonly directories: Buffer } {
  const layout = new TiffLayout(kind, at)
  const first = layout.chain(images)
  const header = Buffer.alloc(headerBytes(kind))
  header.write(kind.isLittleEndian ? 'II' : 'MM', 'latin1')
  const uint16 = (value: number, offset: number): number => (kind.isLittleEndian ? header.writeUInt16LE(value, offset) : header.writeUInt16BE(value, offset))
  uint16(kind.isBig ? 43 : 42, 2)
  if (kind.isBig) {
    uint16(8, 4)
    if (kind.isLittleEndian) header.writeBigUInt64LE(BigInt(first), 8)
    else header.writeBigUInt64BE(BigInt(first), 8)
  } else if (kind.isLittleEndian) header.writeUInt32LE(first, 4)
  else header.writeUInt32BE(first, 4)
  return { header, directories: layout.bytes() }
}
