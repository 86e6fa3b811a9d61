import { open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { FileHandle } from 'node:fs/promises'

/** A file that grows at its end. */
export interface AuditFile {
  /** @throws the system's error; then a part may have been written. */
  append(bytes: Buffer): Promise<void>
  /** Settles when everything is on disk for good, the file's length included. */
  sync(): Promise<void>
  /** Cuts the file and makes sure of it. */
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

/** What a log needs of a disk. */
export interface AuditDisk {
  /** A new file. Its name is on disk when its first `sync` settles. @throws the system's error, among them when there is one of that name. */
  create(path: string): Promise<AuditFile>
  /** An existing file. */
  reopen(path: string): Promise<AuditFile>
  remove(path: string): Promise<void>
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

class HandleFile implements AuditFile {
  readonly #handle: FileHandle
  #unsyncedDirectory: string | undefined

  constructor(handle: FileHandle, unsyncedDirectory?: string) {
    this.#handle = handle
    this.#unsyncedDirectory = unsyncedDirectory
  }

  async append(bytes: Buffer): Promise<void> {
    await this.#handle.appendFile(bytes)
  }

  async sync(): Promise<void> {
    await this.#handle.datasync()
    if (this.#unsyncedDirectory === undefined) return
    await syncDirectory(this.#unsyncedDirectory)
    this.#unsyncedDirectory = undefined
  }

  async truncate(length: number): Promise<void> {
    await this.#handle.truncate(length)
    await this.#handle.datasync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** The machine's. */
export const systemAuditDisk: AuditDisk = {
  create: async path => new HandleFile(await open(path, 'ax', 0o600), dirname(path)),
  reopen: async path => new HandleFile(await open(path, 'a')),
  remove: async path => {
    await unlink(path)
    await syncDirectory(dirname(path))
  },
}
