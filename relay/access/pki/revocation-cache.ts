import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceDurably } from '../../runtime/durable-file.ts'

/** The platform's revocation lists as a node was told of them last, on disk, so that a node that starts without the core knows them. */
export class RevocationCache {
  readonly #path: string
  readonly #listeners = new Set<() => void>()
  #crlsPem: string | undefined

  private constructor(path: string, crlsPem: string | undefined) {
    this.#path = path
    this.#crlsPem = crlsPem
  }

  /** @param folder - Where it is kept. */
  static async open(folder: string): Promise<RevocationCache> {
    const path = join(folder, 'platform-crl.pem')
    return new RevocationCache(path, await readFile(path, 'utf8').catch(() => undefined))
  }

  /** The file with them, PEM; undefined before the core was ever heard. */
  get file(): string | undefined {
    return this.#crlsPem === undefined ? undefined : this.#path
  }

  /** Keeps newer ones. Whoever checks certificates by them checks their signatures, too. */
  async take(crlsPem: string): Promise<void> {
    if (crlsPem === this.#crlsPem) return
    await replaceDurably(this.#path, crlsPem)
    this.#crlsPem = crlsPem
    for (const listener of this.#listeners) listener()
  }

  /** @returns Stops listening. */
  changed(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
