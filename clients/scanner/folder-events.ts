import type { WatchedFile } from './file-settling.ts'

/** Names that are remembered; of one that is forgotten, only looks at it say when it is complete. */
const MAX_NAMES = 20_000

/** As `fs.watch` tells them: `rename` for what came, went or was put in place of another, `change` for what was written. */
export type FolderEventKind = 'rename' | 'change'

/**
 * What inotify told of the files of a folder. A file that is written where it stands is told to come and then to
 * change; one that is moved or linked in is told to come, and nothing more. Does no I/O.
 *
 * @see inotify(7)
 */
export class FolderEvents {
  readonly #files = new Map<string, WatchedFile>()

  /** @param name - Of the file, without its folder. */
  note(kind: FolderEventKind, name: string): void {
    this.#files.delete(name)
    this.#files.set(name, { cameWhole: kind === 'rename' })
    const [eldest] = this.#files.keys()
    if (this.#files.size > MAX_NAMES && eldest !== undefined) this.#files.delete(eldest)
  }

  /** @returns Undefined for a file of which nothing was told, such as one that another machine puts on a share. */
  of(name: string): WatchedFile | undefined {
    return this.#files.get(name)
  }

  /** Events are lost from here on: nothing is claimed any more. */
  forget(): void {
    this.#files.clear()
  }
}
