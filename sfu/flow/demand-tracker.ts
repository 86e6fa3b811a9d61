import { OVERVIEW } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Cadence, Demand } from '../../relay/wire/signaling.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** A rendition that nobody watches any more is still sent for so long: pointers turn back. */
export const LINGER = millis(150)
/** The microscope hears at most twenty times a second, however many viewers change their minds. */
export const DEMAND_INTERVAL = millis(50)

/** What to tell the microscope now, and when to ask again. */
export interface DemandStep {
  readonly send: Demand | undefined
  readonly wakeAt: Millis | undefined
}

/**
 * Decides what a microscope is asked to send, from what all viewers together are to have. Does no I/O
 * and reads no clock.
 *
 * The first change after a pause goes out at once; those that follow within {@link DEMAND_INTERVAL} are
 * gathered. With nobody watching, the overview's keyframes flow: enough to show that there is a picture.
 */
export class DemandTracker {
  /** Wanted now, the most important first. */
  #wanted: readonly RenditionId[] = []
  /** No longer wanted, and since when. */
  readonly #lingering = new Map<RenditionId, Millis>()
  /** Wanted anew since the microscope last heard. */
  readonly #woken = new Set<RenditionId>()
  #told: string | undefined
  #toldAt = millis(-Infinity)
  #serial = 0

  /**
   * What the viewers are to have from now on.
   *
   * @param canLinger - Whether the line has room for what nobody watches any more.
   */
  want(renditions: readonly RenditionId[], canLinger: boolean, now: Millis): void {
    const before = new Set(this.#wanted)
    const after = new Set(renditions)
    for (const id of before) {
      if (after.has(id)) continue
      this.#woken.delete(id)
      if (canLinger) this.#lingering.set(id, now)
    }
    for (const id of after) {
      if (!before.has(id)) this.#woken.add(id)
      this.#lingering.delete(id)
    }
    if (!canLinger) this.#lingering.clear()
    this.#wanted = renditions
  }

  /** Renditions that the microscope may send now: wanted or lingering. */
  get demanded(): ReadonlySet<RenditionId> {
    return new Set([...this.#wanted, ...this.#lingering.keys(), OVERVIEW])
  }

  step(now: Millis): DemandStep {
    for (const [id, since] of this.#lingering) if (now - since >= LINGER) this.#lingering.delete(id)
    const renditions = this.#renditions()
    // The order matters only where lines are narrow, and changes with every move of a pointer: its head is enough.
    const told = JSON.stringify([renditions[0], renditions.map(({ renditionId, cadence }) => `${renditionId} ${cadence}`).sort()])
    const isNews = told !== this.#told || this.#woken.size > 0
    const earliest = millis(this.#toldAt + DEMAND_INTERVAL)
    if (isNews && now < earliest) return { send: undefined, wakeAt: earliest }
    if (!isNews) return { send: undefined, wakeAt: this.#nextRelease() }
    this.#told = told
    this.#toldAt = now
    const woken = [...this.#woken]
    this.#woken.clear()
    return { send: { serial: ++this.#serial, renditions, woken }, wakeAt: this.#nextRelease() }
  }

  #renditions(): { renditionId: RenditionId; cadence: Cadence }[] {
    const full = [...this.#wanted, ...this.#lingering.keys()]
    if (full.length === 0) return [{ renditionId: OVERVIEW, cadence: 'key' }]
    return full.map(renditionId => ({ renditionId, cadence: 'full' }))
  }

  #nextRelease(): Millis | undefined {
    const [first] = this.#lingering.values()
    return first === undefined ? undefined : millis(first + LINGER)
  }
}
