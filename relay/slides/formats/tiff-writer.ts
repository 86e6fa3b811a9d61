import { open } from 'node:fs/promises'
import { RelayFault } from '../../wire/fault.ts'
import type { FileHandle } from 'node:fs/promises'

/** Types of values that are written, with their number and bytes each. @see TIFF 6.0 section 2, BigTIFF design */
const TYPES = { byte: { code: 1, bytes: 1 }, ascii: { code: 2, bytes: 1 }, short: { code: 3, bytes: 2 }, long: { code: 4, bytes: 4 }, rational: { code: 5, bytes: 8 }, undefined: { code: 7, bytes: 1 }, long8: { code: 16, bytes: 8 } } as const

/** One field of a directory. */
export interface TiffField {
  readonly tag: number
  readonly type: keyof typeof TYPES
  /** Numbers of the type, two for each rational; or all values as they stand in the file, little endian. */
  readonly values: readonly number[] | Buffer
}

const HEADER_BYTES = 16
const FIRST_DIRECTORY_AT = 8
const INLINE_BYTES = 8
const BUFFER_BYTES = 4 * 1024 * 1024

/** Writes a BigTIFF from front to back: data, then the directory that refers to it, as often as wanted. Holds one buffer of 4 MiB. */
export class TiffWriter implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  #buffered = 0
  /** Of the file that was written, in bytes. */
  #flushed = 0
  #linkAt = FIRST_DIRECTORY_AT
  readonly #links: { readonly at: number; readonly to: number }[] = []

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** @throws System errors of opening; `EEXIST` when there is such a file. */
  static async create(path: string): Promise<TiffWriter> {
    const writer = new TiffWriter(await open(path, 'wx'))
    const header = Buffer.alloc(HEADER_BYTES)
    header.write('II', 'latin1')
    header.writeUInt16LE(43, 2)
    header.writeUInt16LE(8, 4)
    await writer.#write(header)
    return writer
  }

  /** Appends bytes. @returns Where they begin. */
  async append(bytes: Uint8Array): Promise<number> {
    const at = this.#flushed + this.#buffered
    await this.#write(bytes)
    return at
  }

  /** Appends a directory that follows the one before. */
  async appendDirectory(fields: readonly TiffField[]): Promise<void> {
    const sorted = fields.toSorted((a, b) => a.tag - b.tag)
    const directory = Buffer.alloc(8 + sorted.length * 20 + 8)
    directory.writeBigUInt64LE(BigInt(sorted.length), 0)
    for (const [index, { tag, type, values }] of sorted.entries()) {
      const bytes = Buffer.isBuffer(values) ? values : encode(type, values)
      const at = 8 + index * 20
      directory.writeUInt16LE(tag, at)
      directory.writeUInt16LE(TYPES[type].code, at + 2)
      directory.writeBigUInt64LE(BigInt(bytes.length / TYPES[type].bytes), at + 4)
      if (bytes.length <= INLINE_BYTES) bytes.copy(directory, at + 12)
      else {
        await this.#align()
        directory.writeBigUInt64LE(BigInt(await this.append(bytes)), at + 12)
      }
    }
    await this.#align()
    const at = await this.append(directory)
    this.#links.push({ at: this.#linkAt, to: at })
    this.#linkAt = at + directory.length - 8
  }

  /** Writes what is left and makes the file durable. */
  async finish(): Promise<void> {
    await this.#flush()
    for (const { at, to } of this.#links) {
      const link = Buffer.alloc(8)
      link.writeBigUInt64LE(BigInt(to))
      await this.#file.write(link, 0, 8, at)
    }
    await this.#file.datasync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }

  /** Directories and values begin at a word. @see TIFF 6.0 section 2 */
  async #align(): Promise<void> {
    const over = (this.#flushed + this.#buffered) % 8
    if (over > 0) await this.#write(Buffer.alloc(8 - over))
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#buffered + bytes.length > BUFFER_BYTES) await this.#flush()
    if (bytes.length > BUFFER_BYTES) {
      await this.#writeOut(bytes)
      return
    }
    this.#buffer.set(bytes, this.#buffered)
    this.#buffered += bytes.length
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#buffered)
    this.#buffered = 0
    await this.#writeOut(bytes)
  }

  async #writeOut(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#flushed).catch((cause: unknown) => {
        throw new RelayFault('storage_full', 'a file cannot be written', { cause })
      })
      done += bytesWritten
      this.#flushed += bytesWritten
    }
  }
}

function encode(type: TiffField['type'], values: readonly number[]): Buffer {
  const size = type === 'rational' ? 4 : TYPES[type].bytes
  const bytes = Buffer.alloc(values.length * size)
  for (const [index, value] of values.entries()) {
    if (size === 8) bytes.writeBigUInt64LE(BigInt(value), index * 8)
    else bytes.writeUIntLE(value, index * size, size)
  }
  return bytes
}
