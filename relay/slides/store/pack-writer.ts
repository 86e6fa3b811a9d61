import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileHandle } from 'node:fs/promises'

/** A pack that is as long as this gets no more chunks. In bytes. */
export const PACK_BYTES = 64 * 1024 * 1024

/** Name of the file of a pack. */
export const packName = (pack: number): string => `${String(pack).padStart(12, '0')}.pack`

/** What a writer of packs does to files. A test makes it fail. */
export interface PackFileSystem {
  open(path: string, flags: string): Promise<Pick<FileHandle, 'writev' | 'datasync' | 'truncate' | 'close'>>
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>
}

/** The real one. */
export const packFileSystem: PackFileSystem = {
  open,
  async syncDirectory(path) {
    await using directory = await open(path, 'r')
    await directory.sync()
  },
}

/** Where bodies were put. */
export interface Appended {
  readonly pack: number
  /** Of each body, in bytes from the start of the pack. */
  readonly starts: readonly number[]
  /** Of the pack. */
  readonly end: number
}

/** Appends chunks to the last pack. One call at a time, of `append` and `leave` together. */
export class PackWriter implements AsyncDisposable {
  readonly #directory: string
  readonly #files: PackFileSystem
  #pack: number
  #end: number
  #file: Awaited<ReturnType<PackFileSystem['open']>> | undefined

  /** @param last - The pack to go on with, and how much of it is committed. */
  constructor(directory: string, last: { readonly pack: number; readonly end: number }, files: PackFileSystem = packFileSystem) {
    this.#directory = directory
    this.#files = files
    this.#pack = last.pack
    this.#end = last.end
  }

  /** The pack that is appended to. */
  get pack(): number {
    return this.#pack
  }

  /**
   * Resolves when the bytes, and the name of their file, survive the loss of power. `fdatasync` also writes the length of
   * the file, without which the data could not be read (POSIX.1-2017, fdatasync).
   */
  async append(bodies: readonly Buffer[]): Promise<Appended> {
    if (this.#end >= PACK_BYTES) await this.leave()
    try {
      const file = (this.#file ??= await this.#open())
      let end = this.#end
      const starts = bodies.map(({ length }) => {
        const start = end
        end += length
        return start
      })
      await writeAll(file, bodies, this.#end)
      await file.datasync()
      this.#end = end
      return { pack: this.#pack, starts, end }
    } catch (error) {
      // After a failed fsync the kernel may count pages as clean that never reached the disk: nothing is ever appended to this pack again.
      await this.#file?.truncate(this.#end).catch(() => undefined)
      await this.leave()
      throw error
    }
  }

  /** The next append begins a new pack. */
  async leave(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    this.#pack++
    this.#end = 0
    await file?.close().catch(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  async #open(): Promise<Awaited<ReturnType<PackFileSystem['open']>>> {
    const path = join(this.#directory, packName(this.#pack))
    // Not the flag for appending: Linux would then ignore positions.
    const file = await this.#files.open(path, this.#end === 0 ? 'w' : 'r+')
    await this.#files.syncDirectory(this.#directory)
    return file
  }
}

async function writeAll(file: Pick<FileHandle, 'writev'>, bodies: readonly Buffer[], start: number): Promise<void> {
  let [rest, position] = [bodies.filter(({ length }) => length > 0), start]
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, position)
    position += bytesWritten
    let done = bytesWritten
    let whole = 0
    while (whole < rest.length && done >= (rest[whole]?.length ?? 0)) done -= rest[whole++]?.length ?? 0
    rest = rest.slice(whole)
    const [partial] = rest
    if (partial !== undefined && done > 0) rest[0] = partial.subarray(done)
  }
}
