import { millis } from '../../relay/wire/units.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Cadence, Demand } from '../../relay/wire/signaling.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** A rendition gets a fresh encoder, for the sake of a keyframe, at most this often. */
const RENEWAL_INTERVAL = millis(500)

interface Entry {
  cadence: Cadence
  /** When its encoder was started; undefined while it has none. */
  startedAt: Millis | undefined
  /** It is to have a fresh encoder as soon as that is allowed. */
  isDue: boolean
  notBefore: Millis
}

/** What to do with encoders now. */
export interface RosterStep {
  readonly stop: readonly RenditionId[]
  /** Begin with a fresh encoder, in place of the one that runs if one does. */
  readonly start: readonly { readonly renditionId: RenditionId; readonly cadence: Cadence }[]
  /** When to ask again; undefined when only a new demand changes anything. */
  readonly wakeAt: Millis | undefined
}

/** Decides which renditions have an encoder, and when one gets a fresh one. Does no I/O and reads no clock. */
export class EncoderRoster {
  readonly #known: ReadonlySet<RenditionId>
  #entries = new Map<RenditionId, Entry>()
  readonly #stopped = new Set<RenditionId>()

  /** @param known - The renditions there are; others are not made, whoever demands them. */
  constructor(known: Iterable<RenditionId>) {
    this.#known = new Set(known)
  }

  /** How many renditions are demanded. */
  get size(): number {
    return this.#entries.size
  }

  /** Takes over a demand. */
  demand({ renditions, woken }: Pick<Demand, 'renditions' | 'woken'>): void {
    const wanted = new Map<RenditionId, Entry>()
    for (const { renditionId, cadence } of renditions) {
      if (!this.#known.has(renditionId)) continue
      const entry = this.#entries.get(renditionId) ?? { cadence, startedAt: undefined, isDue: true, notBefore: millis(0) }
      if (entry.cadence !== cadence || woken.includes(renditionId)) entry.isDue = true
      entry.cadence = cadence
      wanted.set(renditionId, entry)
    }
    for (const [renditionId, { startedAt }] of this.#entries) if (!wanted.has(renditionId) && startedAt !== undefined) this.#stopped.add(renditionId)
    this.#entries = wanted
  }

  /** A rendition's encoder gave a keyframe: whoever waited for one has it. */
  keyFrameCame(renditionId: RenditionId, cadence: Cadence): void {
    const entry = this.#entries.get(renditionId)
    if (entry?.startedAt !== undefined && entry.cadence === cadence) entry.isDue = false
  }

  /** A rendition's encoder is gone; it gets another after `wait`. */
  failed(renditionId: RenditionId, now: Millis, wait: Millis): void {
    const entry = this.#entries.get(renditionId)
    if (entry === undefined) return
    entry.startedAt = undefined
    entry.isDue = true
    entry.notBefore = millis(now + wait)
  }

  /** What to do now; the caller does it. */
  step(now: Millis): RosterStep {
    const start: { renditionId: RenditionId; cadence: Cadence }[] = []
    let wakeAt: Millis | undefined
    for (const [renditionId, entry] of this.#entries) {
      if (!entry.isDue) continue
      if (now < entry.notBefore) {
        wakeAt = millis(Math.min(wakeAt ?? Infinity, entry.notBefore))
        continue
      }
      entry.isDue = false
      entry.startedAt = now
      entry.notBefore = millis(now + RENEWAL_INTERVAL)
      start.push({ renditionId, cadence: entry.cadence })
    }
    const stop = [...this.#stopped].filter(renditionId => !this.#entries.has(renditionId))
    // What is demanded again before it was stopped is a new entry, and gets a fresh encoder in place of the old one.
    this.#stopped.clear()
    return { stop, start, wakeAt }
  }
}
