import { millis } from '../../relay/wire/units.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** What a look at a file, or at a folder that is one slide, shows. */
export interface FileLook {
  /** In bytes; of a folder the sum over its files. */
  readonly size: number
  /** Of a folder the latest of its files. */
  readonly modifiedAtMillis: number
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

  /** @param look - What the file looks like at this moment; undefined when it cannot be seen. */
  step(look: FileLook | undefined, now: Millis): SettlingStep {
    const before = this.#look
    if (look === undefined && before === undefined && this.#stillSince !== undefined) return { code: now - this.#stillSince >= this.#options.patience ? 'gone' : 'wait' }
    if (look === undefined || this.#stillSince === undefined || before?.size !== look.size || before.modifiedAtMillis !== look.modifiedAtMillis) {
      this.#look = look
      this.#stillSince = now
      this.#openedAt = millis(-Infinity)
      return { code: 'wait' }
    }
    const { still, patience } = this.#options
    if (now - this.#stillSince < still || now - this.#openedAt < OPEN_INTERVAL) return { code: 'wait' }
    // An empty file is one that was only just created; it opens nowhere.
    if (look.size === 0) return { code: now - this.#stillSince >= patience ? 'no_slide' : 'wait' }
    if (this.#openedAt > -Infinity && now - this.#stillSince >= patience) return { code: 'no_slide' }
    this.#openedAt = now
    return { code: 'open' }
  }
}
