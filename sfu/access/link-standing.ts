import { bitsPerSecond } from '../../relay/wire/units.ts'
import type { Hop } from '../../relay/access/ledger/link-ledger.ts'
import type { RegisteredLink, RegistryView } from '../../relay/access/registry/registry.ts'
import type { FacilityId, LinkCondition } from '../../relay/wire/access.ts'
import type { LinkName } from '../../relay/wire/link.ts'
import type { BitsPerSecond } from '../../relay/wire/units.ts'

/** What is promised of links: `LinkLedger` does. */
export interface PromisedLinks {
  setCapacity(hop: Hop, capacity: BitsPerSecond): readonly string[]
  /** In bits per second. */
  headRoom(hop: Hop): number
}

/** How the way to a facility stands. */
export interface WayStanding {
  /** Null where none is crossed, or none is registered. */
  readonly link: LinkName | null
  readonly condition: LinkCondition
  readonly headRoomBitsPerSecond: number
}

/** More than any line carries: what stays within one facility is not held back by a link. */
const WITHIN_BITS_PER_SECOND = 1e12
const DIRECTIONS = ['forward', 'backward'] as const

/** How the links between this node's facility and others stand, by registry and ledger. */
export class LinkStanding {
  readonly #registry: Pick<RegistryView, 'links'>
  readonly #ledger: PromisedLinks
  readonly #own: FacilityId
  readonly #isDegraded: (link: LinkName) => boolean
  #known: readonly LinkName[] = []

  /** @param isDegraded - Whether a link measurably falls short of its contract. */
  constructor(registry: Pick<RegistryView, 'links'>, ledger: PromisedLinks, own: FacilityId, isDegraded: (link: LinkName) => boolean = () => false) {
    this.#registry = registry
    this.#ledger = ledger
    this.#own = own
    this.#isDegraded = isDegraded
  }

  /** Takes over what links carry by the newest registry. */
  refresh(): void {
    const links = this.#registry.links()
    const gone = this.#known.filter(name => !links.some(link => link.name === name))
    for (const direction of DIRECTIONS) {
      for (const link of gone) this.#ledger.setCapacity({ link, direction }, bitsPerSecond(0))
      for (const link of links) this.#ledger.setCapacity({ link: link.name, direction }, bitsPerSecond(link.bitsPerSecond))
    }
    this.#known = links.map(({ name }) => name)
  }

  /** The way to a facility: of several links the one with most room. Within the node's own no link is crossed, and nothing is held back. */
  to(facilityId: FacilityId): WayStanding {
    if (facilityId === this.#own) return { link: null, condition: 'sinet', headRoomBitsPerSecond: WITHIN_BITS_PER_SECOND }
    const links = this.#registry.links().filter(({ between }) => between.includes(facilityId) && between.includes(this.#own))
    const ways = links.map(link => this.#standing(link)).sort((one, other) => other.headRoomBitsPerSecond - one.headRoomBitsPerSecond)
    return ways.find(({ condition }) => condition !== 'degraded') ?? ways[0] ?? { link: null, condition: 'unregistered', headRoomBitsPerSecond: 0 }
  }

  #standing({ name: link, class: linkClass }: RegisteredLink): WayStanding {
    const condition = this.#isDegraded(link) ? 'degraded' : linkClass === 'best-effort' ? 'best_effort' : 'sinet'
    return { link, condition, headRoomBitsPerSecond: Math.min(...DIRECTIONS.map(direction => this.#ledger.headRoom({ link, direction }))) }
  }
}
