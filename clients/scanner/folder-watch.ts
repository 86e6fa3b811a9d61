import { watch } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { FolderEvents } from './folder-events.ts'
import type { FSWatcher } from 'node:fs'
import type { WatchedFile } from './file-settling.ts'

/** What a watched folder tells by itself, so that a file need not be waited for. */
export interface FolderNews {
  /** Something came since it was asked last. */
  takeNews(): boolean
  /** Settles with the next file that comes. */
  readonly next: Promise<undefined>
  /** @returns Undefined where nothing is known of the file. */
  of(path: string): WatchedFile | undefined
}

/** Hears from the system what happens in a folder. Changes that other machines make on a share are not told: the folder has to be listed all the same. */
export class FolderWatch implements FolderNews, Disposable {
  readonly #folder: string
  readonly #events = new FolderEvents()
  readonly #watcher: FSWatcher
  #hasNews = false
  #next = Promise.withResolvers<undefined>()

  private constructor(folder: string) {
    this.#folder = resolve(folder)
    this.#watcher = watch(this.#folder, { persistent: false }, (kind, name) => {
      if (name === null) return
      this.#events.note(kind, name)
      if (kind === 'rename') this.#tell()
    })
    this.#watcher.on('error', () => this[Symbol.dispose]())
  }

  /** @returns Undefined where the system cannot do so, or tells writes late: only inotify says when a file was written. */
  static open(folder: string): FolderWatch | undefined {
    if (process.platform !== 'linux') return undefined
    try {
      return new FolderWatch(folder)
    } catch {
      // No such folder, or no watches left: listing it tells the same, later.
      return undefined
    }
  }

  get next(): Promise<undefined> {
    return this.#next.promise
  }

  takeNews(): boolean {
    const had = this.#hasNews
    this.#hasNews = false
    return had
  }

  of(path: string): WatchedFile | undefined {
    return dirname(path) === this.#folder ? this.#events.of(basename(path)) : undefined
  }

  [Symbol.dispose](): void {
    this.#watcher.close()
    this.#events.forget()
  }

  #tell(): void {
    this.#hasNews = true
    this.#next.resolve(undefined)
    this.#next = Promise.withResolvers()
  }
}
