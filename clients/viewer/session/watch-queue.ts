import type { RenditionId } from '../../../relay/wire/ids.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'

/** At most 20 messages a second: well under what the node takes. */
const INTERVAL_MS = millis(50)
/** After a refusal that may pass. */
const RETRY_MS = millis(250)

/** What to send now, and when to ask again. */
export interface WatchStep {
  readonly send: readonly RenditionId[] | undefined
  readonly wakeAt: Millis | undefined
}

/**
 * Keeps the node's watched set equal to the wanted one: one message under way at a time, the latest
 * wish wins, wishes in between are never sent. Does no I/O and reads no clock.
 */
export class WatchQueue {
  #wanted: readonly RenditionId[] = []
  /** What the node was last told, or undefined when that is not known. */
  #told: readonly RenditionId[] | undefined = []
  #isUnderWay = false
  #nextAt = millis(-Infinity)

  want(renditions: readonly RenditionId[]): void {
    this.#wanted = renditions
  }

  step(now: Millis): WatchStep {
    if (this.#isUnderWay || (this.#told !== undefined && isSameSet(this.#told, this.#wanted))) return { send: undefined, wakeAt: undefined }
    if (now < this.#nextAt) return { send: undefined, wakeAt: this.#nextAt }
    this.#isUnderWay = true
    this.#told = this.#wanted
    this.#nextAt = millis(now + INTERVAL_MS)
    return { send: this.#wanted, wakeAt: undefined }
  }

  /** The message under way was answered. Call {@link step} afterwards. */
  answered(isAccepted: boolean, now: Millis): void {
    this.#isUnderWay = false
    if (isAccepted) return
    this.#told = undefined
    this.#nextAt = millis(now + RETRY_MS)
  }
}

function isSameSet(a: readonly RenditionId[], b: readonly RenditionId[]): boolean {
  const set = new Set(a)
  return set.size === new Set(b).size && b.every(id => set.has(id))
}
