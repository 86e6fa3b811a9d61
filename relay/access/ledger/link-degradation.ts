import { millis } from '../../wire/units.ts'
import type { LinkName } from '../../wire/link.ts'
import type { Millis } from '../../wire/units.ts'

/** A link has to fall short for so long before it counts as degraded: a burst of loss is none. */
export const DEGRADED_AFTER = millis(3000)
/** And to keep its contract for so long before it does not any more: what is granted should not come and go with it. */
export const RECOVERED_AFTER = millis(30_000)
/** What was last measured so long ago says nothing any more. */
export const FORGOTTEN_AFTER = millis(60_000)

interface Observed {
  isDegraded: boolean
  /** Since when what is measured speaks against `isDegraded`. */
  contradictedSince: Millis | undefined
  at: Millis
}

/** Which links are degraded, by what is measured of them, with hysteresis. Does no I/O and reads no clock. */
export class LinkDegradation {
  readonly #links = new Map<LinkName, Observed>()

  /** One reading of a link. @param isShort - It falls short of its contract at this moment. @returns Whether its condition is another by that. */
  observe(link: LinkName, isShort: boolean, now: Millis): boolean {
    let observed = this.#links.get(link)
    if (observed === undefined) this.#links.set(link, (observed = { isDegraded: false, contradictedSince: undefined, at: now }))
    observed.at = now
    if (isShort === observed.isDegraded) {
      observed.contradictedSince = undefined
      return false
    }
    observed.contradictedSince ??= now
    if (now - observed.contradictedSince < (isShort ? DEGRADED_AFTER : RECOVERED_AFTER)) return false
    observed.isDegraded = isShort
    observed.contradictedSince = undefined
    return true
  }

  /** Forgets links that nobody measures any more. @returns Whether the condition of any is another by that. */
  forget(now: Millis): boolean {
    let isNews = false
    for (const [link, { at, isDegraded }] of this.#links) {
      if (now - at < FORGOTTEN_AFTER) continue
      this.#links.delete(link)
      isNews ||= isDegraded
    }
    return isNews
  }

  /** Whether a link is degraded: false of one that nobody measures. */
  isDegraded(link: LinkName): boolean {
    return this.#links.get(link)?.isDegraded ?? false
  }
}
