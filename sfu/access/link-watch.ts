import { LinkDegradation } from '../../relay/access/ledger/link-degradation.ts'
import { LinkStandings } from '../links/link-standing.ts'
import type { LinkSnapshot } from '../../relay/links/measurement/link-snapshot.ts'
import type { LinkName } from '../../relay/wire/link.ts'
import type { Millis } from '../../relay/wire/units.ts'

/**
 * Which registered links are degraded, by what the node's own links of the same names measure: a class of traffic that
 * gets less than it needs, a term of the contract that is broken, or no path that lives.
 */
export class LinkWatch {
  readonly #degradation = new LinkDegradation()
  readonly #standings = new LinkStandings()

  /** @returns Whether any link's condition is another than before. */
  read(snapshots: readonly LinkSnapshot[], now: Millis): boolean {
    let isNews = this.#degradation.forget(now)
    for (const snapshot of snapshots) {
      const { degraded, broken } = this.#standings.read(snapshot)
      const isShort = degraded.length > 0 || broken.length > 0 || snapshot.paths.every(({ state }) => state !== 'up')
      if (this.#degradation.observe(snapshot.link, isShort, now)) isNews = true
    }
    this.#standings.retain(new Set(snapshots.map(({ link }) => link)))
    return isNews
  }

  isDegraded(link: LinkName): boolean {
    return this.#degradation.isDegraded(link)
  }
}
