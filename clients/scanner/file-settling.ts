import { millis } from '../../relay/wire/units.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** What a look at a file, or at a folder that is one slide, shows. */
export interface FileLook {
  /** In bytes; of a folder the sum over its files. */
  readonly size: number
  /** Of a folder the latest of its files. */
  readonly modifiedAtMillis: number
  /** A watch of the folder it is in does not see what is written within. */
  readonly isFolder?: boolean
}

/** What a watch of its folder knows of a file. */
export interface WatchedFile {
  /** It was moved or linked into the folder, and not written since. */
  readonly cameWhole: boolean
}

/** How long to wait for a scanner that still writes. */
export interface SettlingOptions {
  /** Size and time of modification must stand still for so long. */
  readonly still: Millis
  /** A file that stood still so long and does not open is no slide. */
  readonly patience: Millis
}

/** What to do with a file: wait, try to open it, or give it up. */
export type SettlingStep =
  | { readonly code: 'wait' }
  | { readonly code: 'open' }
  | { readonly code: 'no_slide' }
  /** It cannot be seen any more. */
  | { readonly code: 'gone' }

/** Between two attempts to open what stands still: a scanner may pause while it moves its stage. */
const OPEN_INTERVAL = millis(5000)
/** What came whole is looked at a second time, in case it is still written through another name. */
const WHOLE_STILL = millis(100)
/** Where every write is told: a writer that pauses for longer and leaves a file that opens with all of its tiles is taken to have ended. */
const WATCHED_STILL = millis(1000)

/**
 * Decides when a file is no longer written. Standing still is only seen, never read from its time of modification:
 * programs that copy may set that to the time of the original. Does no I/O and reads no clock.
 */
export class FileSettling {
  readonly #options: SettlingOptions
  #look: FileLook | undefined
  #stillSince: Millis | undefined
  #openedAt = millis(-Infinity)

  constructor(options: SettlingOptions) {
    this.#options = options
  }

  /**
   * @param look - What the file looks like at this moment; undefined when it cannot be seen.
   * @param watched - What a watch tells of it; undefined where nothing watches, and of folders.
   */
  step(look: FileLook | undefined, now: Millis, watched?: WatchedFile): SettlingStep {
    const before = this.#look
    if (look === undefined && before === undefined && this.#stillSince !== undefined) return { code: now - this.#stillSince >= this.#options.patience ? 'gone' : 'wait' }
    if (look === undefined || this.#stillSince === undefined || before?.size !== look.size || before.modifiedAtMillis !== look.modifiedAtMillis) {
      this.#look = look
      this.#stillSince = now
      this.#openedAt = millis(-Infinity)
      return { code: 'wait' }
    }
    const { patience } = this.#options
    if (now - this.#stillSince < this.#still(watched) || now - this.#openedAt < OPEN_INTERVAL) return { code: 'wait' }
    // An empty file is one that was only just created; it opens nowhere.
    if (look.size === 0) return { code: now - this.#stillSince >= patience ? 'no_slide' : 'wait' }
    if (this.#openedAt > -Infinity && now - this.#stillSince >= patience) return { code: 'no_slide' }
    this.#openedAt = now
    return { code: 'open' }
  }
  /** How long it must stand still. */
  #still(watched: WatchedFile | undefined): Millis {
    const { still } = this.#options
    if (watched === undefined) return still
    return millis(Math.min(still, watched.cameWhole ? WHOLE_STILL : WATCHED_STILL))
  }
}
