import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { RelayFault } from '../../wire/fault.ts'
import type { FileHandle } from 'node:fs/promises'

/** Bytes that can be read at any place: a file, or memory in tests. */
export interface ByteSource extends AsyncDisposable {
  /** In bytes, when it was opened. */
  readonly size: number
  /** Exactly so many bytes. @throws {RelayFault} `bad_slide` when the source does not have them. */
  read(offset: number, length: number): Promise<Buffer>
}

/** Whether a source has all of a range. Hostile numbers may be fractions, negative or beyond 2^53. */
export const hasRange = ({ size }: { readonly size: number }, offset: number, length: number): boolean =>
  Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0 && offset <= size - length

/** A file that is read at any place and never written. */
export class RandomAccessFile implements ByteSource {
  readonly size: number
  readonly #handle: FileHandle

  private constructor(handle: FileHandle, size: number) {
    this.#handle = handle
    this.size = size
  }

  /** @throws {RelayFault} `bad_slide` when it is not an ordinary file. A file that is missing or forbidden is the system's error. */
  static async open(path: string): Promise<RandomAccessFile> {
    // A pipe would otherwise keep the caller waiting for its other end.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stat = await handle.stat()
      if (!stat.isFile()) throw new RelayFault('bad_slide', 'not an ordinary file')
      return new RandomAccessFile(handle, stat.size)
    } catch (cause) {
      await handle.close()
      throw cause
    }
  }

  async read(offset: number, length: number): Promise<Buffer> {
    if (!hasRange(this, offset, length)) throw new RelayFault('bad_slide', 'the file ends before what it announces')
    const bytes = Buffer.allocUnsafe(length)
    for (let done = 0; done < length;) {
      const { bytesRead } = await this.#handle.read(bytes, done, length - done, offset + done)
      if (bytesRead === 0) throw new RelayFault('bad_slide', 'the file became shorter')
      done += bytesRead
    }
    return bytes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

/** Bytes in memory. */
export class MemorySource implements ByteSource {
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get size(): number {
    return this.#bytes.length
  }

  read(offset: number, length: number): Promise<Buffer> {
    if (!hasRange(this, offset, length)) return Promise.reject(new RelayFault('bad_slide', 'the file ends before what it announces'))
    return Promise.resolve(this.#bytes.subarray(offset, offset + length))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}
