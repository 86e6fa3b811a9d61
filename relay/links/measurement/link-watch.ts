import { millis } from '../../wire/units.ts'
import { ClassWatch } from './class-watch.ts'
import { ContractWatch } from './contract-watch.ts'
import { PathWatch } from './path-watch.ts'
import type { LinkContract, PathName, TrafficClass } from '../../wire/link.ts'
import type { LinkEvent, LinkSnapshot } from './link-snapshot.ts'
import type { LinkEnd } from './contract-watch.ts'
import type { Finding } from './path-watch.ts'

/** The last events that are kept. */
export const MAX_EVENTS = 256
/** Between two observations no more time passes than this: the rest is a machine that slept, or a clock that was set. */
const MAX_ELAPSED = millis(5000)

/**
 * Finds out from what is measured of a link what somebody may have to act on, and remembers it. Does no I/O and reads no
 * clock; call {@link observe} twice a second.
 */
export class LinkWatch {
  readonly #contract: LinkContract
  readonly #promises: ContractWatch
  #paths = new Map<PathName, PathWatch>()
  readonly #classes = new Map<TrafficClass, ClassWatch>()
  readonly #events: LinkEvent[] = []
  #observedAt: number | undefined
  /** Time that passed as far as this watch is concerned: it neither stops nor jumps. */
  #now = millis(0)

  constructor(contract: LinkContract, end: LinkEnd) {
    this.#contract = contract
    this.#promises = new ContractWatch(contract, end)
  }

  /** The last {@link MAX_EVENTS}, oldest first. */
  get events(): readonly LinkEvent[] {
    return [...this.#events]
  }

  /** Remembers an event that was found elsewhere. */
  record(event: LinkEvent): void {
    this.#events.push(event)
    if (this.#events.length > MAX_EVENTS) this.#events.shift()
  }

  /**
   * Takes the link as it is.
   *
   * @param at - Milliseconds since the epoch.
   * @returns What happened since the last time, remembered already.
   */
  observe(link: Pick<LinkSnapshot, 'paths' | 'classes'>, at: number): readonly LinkEvent[] {
    const elapsed = millis(Math.min(MAX_ELAPSED, Math.max(0, at - (this.#observedAt ?? at))))
    this.#observedAt = at
    this.#now = millis(this.#now + elapsed)
    const events = [
      ...this.#observePaths(link, at),
      ...this.#observeClasses(link, at),
      ...this.#promises.observe(link, this.#now, elapsed).map((finding): LinkEvent => ({ at, ...finding })),
    ]
    for (const event of events) this.record(event)
    return events
  }

  #observePaths({ paths }: Pick<LinkSnapshot, 'paths'>, at: number): LinkEvent[] {
    // Paths that are no longer there are forgotten.
    this.#paths = new Map(paths.map(({ path }) => [path, this.#paths.get(path) ?? new PathWatch()]))
    return paths.flatMap(path => (this.#paths.get(path.path)?.observe(path, this.#now) ?? []).map(finding => ({ at, path: path.path, ...finding })))
  }

  #observeClasses({ classes }: Pick<LinkSnapshot, 'classes'>, at: number): LinkEvent[] {
    return classes.flatMap(one => {
      let watch = this.#classes.get(one.class)
      if (watch === undefined) this.#classes.set(one.class, (watch = new ClassWatch(this.#contract.traffic[one.class])))
      return watch.observe(one, this.#now).map((finding: Finding) => ({ at, class: one.class, ...finding }))
    })
  }
}
