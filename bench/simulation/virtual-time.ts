import { millis } from '../../relay/wire/units.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** Something that happens at an instant. */
export type Action = () => void

/**
 * A clock that jumps from one event to the next, and the events: a discrete-event simulation.
 *
 * Events of one instant happen in the order in which they were scheduled, so that a run depends on nothing but its
 * seeds. A binary heap over flat arrays; scheduling and running an event cost the logarithm of how many wait.
 */
export class VirtualTime {
  #now = millis(0)
  #size = 0
  #order = 0
  #times = new Float64Array(1024)
  #orders = new Float64Array(1024)
  readonly #actions: Action[] = []

  /** Since the beginning of the simulation. */
  get now(): Millis {
    return this.#now
  }

  /** Events that wait. */
  get pending(): number {
    return this.#size
  }

  /** Schedules an event; one in the past happens next. */
  at(time: Millis, action: Action): void {
    if (this.#size === this.#times.length) this.#grow()
    this.#rise(this.#size++, Math.max(time, this.#now), this.#order++, action)
  }

  /** Schedules an event so long from now. */
  after(delay: Millis, action: Action): void {
    this.at(millis(this.#now + delay), action)
  }

  /** Runs all that is due up to and at `until`, and whatever that schedules until then; the clock ends there. */
  run(until: Millis): void {
    while (this.#size > 0) {
      const time = this.#times[0] ?? Infinity
      if (time > until) break
      this.#now = millis(time)
      this.#takeFirst()?.()
    }
    this.#now = millis(Math.max(this.#now, until))
  }

  #takeFirst(): Action | undefined {
    const first = this.#actions[0]
    const last = --this.#size
    const action = this.#actions[last]
    // Let go of the closure: a heap that once was large would keep everything it ever held.
    this.#actions.length = last
    if (last > 0 && action !== undefined) this.#sink(this.#times[last] ?? 0, this.#orders[last] ?? 0, action)
    return first
  }

  #rise(from: number, time: number, order: number, action: Action): void {
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!this.#isAfter(parent, time, order)) break
      this.#move(parent, index)
      index = parent
    }
    this.#put(index, time, order, action)
  }

  #sink(time: number, order: number, action: Action): void {
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= this.#size) break
      const right = child + 1
      if (right < this.#size && this.#isAfter(child, this.#times[right] ?? 0, this.#orders[right] ?? 0)) child = right
      if (this.#isAfter(child, time, order)) break
      this.#move(child, index)
      index = child
    }
    this.#put(index, time, order, action)
  }

  #isAfter(index: number, time: number, order: number): boolean {
    const at = this.#times[index] ?? 0
    return at > time || (at === time && (this.#orders[index] ?? 0) > order)
  }

  #move(from: number, to: number): void {
    const action = this.#actions[from]
    if (action !== undefined) this.#put(to, this.#times[from] ?? 0, this.#orders[from] ?? 0, action)
  }

  #put(index: number, time: number, order: number, action: Action): void {
    this.#times[index] = time
    this.#orders[index] = order
    this.#actions[index] = action
  }

  #grow(): void {
    const grow = (from: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(from.length * 2)
      to.set(from)
      return to
    }
    this.#times = grow(this.#times)
    this.#orders = grow(this.#orders)
  }
}
