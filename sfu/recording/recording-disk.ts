import { open, statfs } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'

/** A file that grows. */
export interface GrowingFile {
  /** @throws the system's error; then a part may have been written. */
  append(pieces: readonly Buffer[]): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

/** What a recording needs of a disk. */
export interface RecordingDisk {
  /** A new file. */
  create(path: string): Promise<GrowingFile>
  /** Bytes that may be written below a directory without filling its disk: a part of it stays free for what else needs it. */
  roomBytes(directory: string): Promise<number>
}

/** What recordings leave of a disk: a twentieth of it, and no more than this. */
const RESERVE_BYTES = 1024 ** 3

class HandleFile implements GrowingFile {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async append(pieces: readonly Buffer[]): Promise<void> {
    await this.#handle.appendFile(pieces.length === 1 ? (pieces[0] ?? '') : Buffer.concat(pieces))
  }

  sync(): Promise<void> {
    return this.#handle.datasync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** The machine's. */
export const systemDisk: RecordingDisk = {
  create: async path => new HandleFile(await open(path, 'ax', 0o600)),
  roomBytes: async directory => {
    const { bavail, blocks, bsize } = await statfs(directory)
    return bavail * bsize - Math.min(RESERVE_BYTES, (blocks * bsize) / 20)
  },
}
