import type { RenditionId } from '../../../relay/wire/ids.ts'
import { millis } from '../../../relay/wire/units.ts'
import type { Millis } from '../../../relay/wire/units.ts'
import { NO_DEMAND } from '../view/tile-demand.ts'
import type { Demand } from '../view/tile-demand.ts'

/** At most 20 messages a second: well under what the node takes. */
const INTERVAL_MS = millis(50)
/** After a refusal that may pass. */
const RETRY_MS = millis(250)

/** What to send now, and when to ask again. */
export interface WatchStep {
  readonly send: Demand | undefined
  readonly wakeAt: Millis | undefined
}

/**
 * Keeps what the node was told equal to what is wanted: one message under way at a time, the latest
 * wish wins, wishes in between are never sent. Of the order only the first rendition counts: a pointer
 * that wanders about within one tile says nothing new. Does no I/O and reads no clock.
 */
export class WatchQueue {
  #wanted = NO_DEMAND
  /** What the node was last told, or undefined when that is not known. */
  #told: Demand | undefined = NO_DEMAND
  #isUnderWay = false
  #nextAt = millis(-Infinity)

  want(demand: Demand): void {
    this.#wanted = demand
  }

  step(now: Millis): WatchStep {
    if (this.#isUnderWay || (this.#told !== undefined && saysTheSame(this.#told, this.#wanted))) return { send: undefined, wakeAt: undefined }
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

function saysTheSame(a: Demand, b: Demand): boolean {
  return a.renditions[0] === b.renditions[0] && isSameSet(a.renditions, b.renditions) && isSameSet(a.prefetch, b.prefetch)
}

function isSameSet(a: readonly RenditionId[], b: readonly RenditionId[]): boolean {
  const set = new Set(a)
  return set.size === new Set(b).size && b.every(id => set.has(id))
}
