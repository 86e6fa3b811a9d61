import { RelayFault } from '../../wire/fault.ts'
import { BytesMissing } from './dicom-data-set.ts'
import type { FileHandle } from 'node:fs/promises'

/** How much of a sequence is in memory at a time. */
const WINDOW_BYTES = 1024 * 1024
/** One item may take as much. */
const MAX_ITEM_BYTES = 4 * 1024 * 1024
const UNDEFINED = 0xffff_ffff
const ITEM = 0xfffe_e000
const SEQUENCE_END = 0xfffe_e0dd

const bad = (message: string): RelayFault => new RelayFault('bad_slide', `DICOM: ${message}`)

/** A sequence that stands in a file. */
export interface SequencePlace {
  /** Offset in the file of its first item. */
  readonly at: number
  /** Of its value in bytes; 0xFFFFFFFF when it ends with its delimiter. @see PS3.5 section 7.5 */
  readonly length: number
}

/**
 * Looks at one item.
 *
 * @param bytes - The window; changes to it are written to the file when the walk says so.
 * @param at - Where the value of the item begins in it.
 * @param length - Of the value; 0xFFFFFFFF up to its delimiter.
 * @returns Where it ends, its delimiter included.
 * @throws {BytesMissing} when the window does not have all of it; then it is called again.
 */
export type ItemWalk = (bytes: Buffer, at: number, length: number) => number

/**
 * Walks the items of a sequence that is too long to hold.
 *
 * @param isChanged - Whether the window was changed since it was last asked. Without it nothing is written.
 * @returns Offset in the file of what stands after the sequence.
 * @throws {RelayFault} `bad_slide`.
 */
export async function walkSequence(handle: FileHandle, fileSize: number, { at, length }: SequencePlace, walk: ItemWalk, isChanged?: () => boolean): Promise<number> {
  const end = length === UNDEFINED ? fileSize : at + length
  if (end > fileSize) throw bad('the file is cut off')
  let [start, need] = [at, WINDOW_BYTES]
  while (start < end) {
    const bytes = await readRange(handle, start, Math.min(need, end - start))
    const { done, missing, isOver } = walkWindow(bytes, walk)
    if (isChanged?.() === true) await writeRange(handle, bytes.subarray(0, done), start)
    start += done
    if (isOver) return start
    if (missing === undefined) continue
    if (missing > end - start) throw bad('an item is longer than its sequence')
    if (missing > MAX_ITEM_BYTES) throw bad('a frame says too much')
    need = Math.max(WINDOW_BYTES, missing)
  }
  if (length === UNDEFINED) throw bad('a sequence has no end')
  return end
}

/** @returns How much is behind us, and from there how much more must be there to go on. */
function walkWindow(bytes: Buffer, walk: ItemWalk): { readonly done: number; readonly missing: number | undefined; readonly isOver: boolean } {
  let done = 0
  try {
    while (done < bytes.length) {
      if (done + 8 > bytes.length) throw new BytesMissing(done + 8)
      const tag = bytes.readUInt16LE(done) * 0x1_0000 + bytes.readUInt16LE(done + 2)
      if (tag === SEQUENCE_END) return { done: done + 8, missing: undefined, isOver: true }
      if (tag !== ITEM) throw bad('a sequence has something other than items')
      done = walk(bytes, done + 8, bytes.readUInt32LE(done + 4))
    }
    return { done, missing: undefined, isOver: false }
  } catch (thrown) {
    if (!(thrown instanceof BytesMissing)) throw thrown
    return { done, missing: thrown.until - done, isOver: false }
  }
}

/** Exactly so many bytes of a file. @throws {RelayFault} `bad_slide`. */
export async function readRange(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
    if (bytesRead === 0) throw bad('the file is cut off')
    done += bytesRead
  }
  return bytes
}

async function writeRange(handle: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten
}
