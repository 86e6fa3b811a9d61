import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { packName } from './pack-writer.ts'
import type { FileHandle } from 'node:fs/promises'

const MAX_OPEN_PACKS = 64

/** Reads from packs, and keeps the ones that were read last open. */
export class PackReader implements AsyncDisposable {
  readonly #directory: string
  readonly #closing = new Set<Promise<void>>()
  readonly #files = new LRUCache<number, Promise<FileHandle>>({
    max: MAX_OPEN_PACKS,
    dispose: file => {
      // A file that could not be opened needs no closing. Closing waits for reads that are under way.
      const closed: Promise<void> = file.then(opened => opened.close(), () => undefined).finally(() => this.#closing.delete(closed))
      this.#closing.add(closed)
    },
  })

  constructor(directory: string) {
    this.#directory = directory
  }

  /** @returns `undefined` when the pack is not there, or ends before. */
  async read(pack: number, start: number, length: number): Promise<Buffer | undefined> {
    const bytes = Buffer.allocUnsafeSlow(length)
    try {
      let done = 0
      while (done < length) {
        const file = await this.#open(pack)
        const { bytesRead } = await file.read(bytes, done, length - done, start + done)
        if (bytesRead === 0) return undefined
        done += bytesRead
      }
      return bytes
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      this.#files.delete(pack)
      if (code === 'ENOENT' || code === 'EIO') return undefined
      // Closed between being handed out and being read, for want of room.
      if (code === 'EBADF') return this.read(pack, start, length)
      throw error
    }
  }

  /** The pack was deleted. Its room is free when this resolves: a file that is open keeps it. */
  async forget(pack: number): Promise<void> {
    this.#files.delete(pack)
    await Promise.all(this.#closing)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#files.clear()
    await Promise.all(this.#closing)
  }

  #open(pack: number): Promise<FileHandle> {
    let file = this.#files.get(pack)
    if (file === undefined) this.#files.set(pack, (file = open(join(this.#directory, packName(pack)), 'r')))
    return file
  }
}
