import { DatabaseSync } from 'node:sqlite'
import { RelayFault } from '../wire/fault.ts'

const SQLITE_BUSY = 5

/**
 * Keeps every other opening of a folder out, of this process and of others, until it is disposed of or the process ends.
 * It is SQLite's lock on an empty database: Node has no `flock`, and a file with a process id in it survives `kill -9`.
 */
export class FolderLock implements Disposable {
  readonly #database: DatabaseSync

  /**
   * @param path - Of the file that the lock is on.
   * @param what - What is open, in the fault's sentence.
   * @throws {RelayFault} `conflict` when it is open already.
   */
  constructor(path: string, what: string) {
    this.#database = new DatabaseSync(path)
    try {
      this.#database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    } catch (error) {
      this.#database.close()
      const isBusy = (error as { readonly errcode?: unknown }).errcode === SQLITE_BUSY
      throw isBusy ? new RelayFault('conflict', `${what} is open in another place`) : error
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}
