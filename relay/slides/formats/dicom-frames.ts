import { RelayFault } from '../../wire/fault.ts'
import { SLIDE_LIMITS } from '../../wire/slide.ts'
import type { FileHandle } from 'node:fs/promises'

const ITEM = 0xfffe_e000
const SEQUENCE_END = 0xfffe_e0dd
const ITEM_HEADER_BYTES = 8
/** How much of a file without an offset table is read at a time to find its fragments. */
const SCAN_BYTES = 64 * 1024

const bad = (message: string): RelayFault => new RelayFault('bad_slide', `DICOM: ${message}`)

/** Where the frames of encapsulated pixel data are. @see PS3.5 section A.4 */
export interface FrameSource {
  readonly handle: FileHandle
  /** In bytes. */
  readonly fileSize: number
  /** Offset of the first item, which is the basic offset table. */
  readonly pixelItemsAt: number
  readonly frames: number
  /** The value of Extended Offset Table (7FE0,0001); `undefined` where there is none. */
  readonly extendedOffsets: Buffer | undefined
}

/** Reads frames of encapsulated pixel data, in the order of the file, each as it is stored. */
export class DicomFrames {
  readonly #source: FrameSource
  /** Offset in the file of the first fragment of each frame, and at the end of the last one's where it is known. */
  #starts: Promise<Float64Array> | undefined

  /** @throws {RelayFault} `bad_slide` when there are more frames than the file has room for. */
  constructor(source: FrameSource) {
    if (source.frames < 1 || source.frames > SLIDE_LIMITS.tiles || source.frames * ITEM_HEADER_BYTES > source.fileSize - source.pixelItemsAt) throw bad('more frames than the file has room for')
    this.#source = source
  }

  /**
   * A frame, its fragments put together; a padding byte at its end stays.
   *
   * @param index - From 0.
   * @throws {RelayFault} `bad_slide`, `out_of_range`.
   */
  async readFrame(index: number): Promise<Buffer> {
    if (!Number.isInteger(index) || index < 0 || index >= this.#source.frames) throw new RelayFault('out_of_range', 'no such frame')
    const starts = await (this.#starts ??= this.#findStarts())
    const start = starts[index] ?? 0
    const next = starts[index + 1] ?? 0
    const fragments: Buffer[] = []
    let [at, length] = [start, 0]
    do {
      const item = await this.#itemAt(at)
      if (item === undefined) break
      length += item.length
      if (length > SLIDE_LIMITS.tileBytes) throw bad('a frame is too long')
      fragments.push(await this.#read(at + ITEM_HEADER_BYTES, item.length))
      at += ITEM_HEADER_BYTES + item.length
    } while (next === 0 || at < next)
    if (fragments.length === 0 || (next !== 0 && at !== next)) throw bad('the offset table points elsewhere than at frames')
    return fragments.length === 1 && fragments[0] !== undefined ? fragments[0] : Buffer.concat(fragments, length)
  }

  async #findStarts(): Promise<Float64Array> {
    const { pixelItemsAt, frames, extendedOffsets, fileSize } = this.#source
    const table = await this.#itemAt(pixelItemsAt)
    if (table === undefined) throw bad('pixel data has no basic offset table')
    const base = pixelItemsAt + ITEM_HEADER_BYTES + table.length
    if (table.length === 0 && extendedOffsets === undefined) return this.#scan(base)
    const [offsets, width] = table.length === 0 && extendedOffsets !== undefined ? [extendedOffsets, 8] : [undefined, 4]
    if ((offsets?.length ?? table.length) !== frames * width) throw bad('the offset table is for another number of frames')
    const bytes = offsets ?? (await this.#read(base - table.length, table.length))
    const starts = new Float64Array(frames + 1)
    for (let frame = 0; frame < frames; frame++) {
      const start = base + (width === 4 ? bytes.readUInt32LE(4 * frame) : Number(bytes.readBigUInt64LE(8 * frame)))
      if (start > fileSize - ITEM_HEADER_BYTES || start < base || (frame > 0 && start <= (starts[frame - 1] ?? 0))) throw bad('the offset table is not ascending within the file')
      starts[frame] = start
    }
    return starts
  }

  /** Without an offset table every frame must be one fragment. @see PS3.5 section A.4 */
  async #scan(base: number): Promise<Float64Array> {
    const { frames } = this.#source
    const starts = new Float64Array(frames + 1)
    let at = base
    let window: { readonly at: number; readonly bytes: Buffer } = { at: 0, bytes: Buffer.alloc(0) }
    for (let frame = 0; ; frame++) {
      if (at < window.at || at + ITEM_HEADER_BYTES > window.at + window.bytes.length) window = { at, bytes: await this.#read(at, Math.min(SCAN_BYTES, this.#source.fileSize - at)) }
      const item = this.#parseItem(window.bytes.subarray(at - window.at), at)
      if (item === undefined) {
        if (frame !== frames) throw bad('fewer fragments than frames')
        starts[frames] = at
        return starts
      }
      if (frame === frames) throw new RelayFault('unsupported_slide', 'DICOM: frames of several fragments without an offset table are not read')
      starts[frame] = at
      at += ITEM_HEADER_BYTES + item.length
    }
  }

  async #itemAt(at: number): Promise<{ readonly length: number } | undefined> {
    return this.#parseItem(await this.#read(at, ITEM_HEADER_BYTES), at)
  }

  /** @returns `undefined` for the end of the sequence. */
  #parseItem(bytes: Buffer, at: number): { readonly length: number } | undefined {
    if (bytes.length < ITEM_HEADER_BYTES) throw bad('the file is cut off')
    const tag = bytes.readUInt16LE(0) * 0x1_0000 + bytes.readUInt16LE(2)
    if (tag === SEQUENCE_END) return undefined
    const length = bytes.readUInt32LE(4)
    if (tag !== ITEM) throw bad('pixel data has something other than fragments')
    if (length > this.#source.fileSize - at - ITEM_HEADER_BYTES) throw bad('the file is cut off')
    return { length }
  }

  async #read(at: number, length: number): Promise<Buffer> {
    if (at < 0 || length < 0 || at + length > this.#source.fileSize) throw bad('the file is cut off')
    const bytes = Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#source.handle.read(bytes, filled, length - filled, at + filled)
      if (bytesRead === 0) throw bad('the file is cut off')
      filled += bytesRead
    }
    return bytes
  }
}
