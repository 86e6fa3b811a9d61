import { bitsPerSecond } from '../../relay/wire/units.ts'
import type { Hop } from '../../relay/access/ledger/link-ledger.ts'
import type { RegisteredLink, RegistryView } from '../../relay/access/registry/registry.ts'
import type { FacilityId, LinkCondition } from '../../relay/wire/access.ts'
import type { LinkName } from '../../relay/wire/link.ts'
import type { BitsPerSecond } from '../../relay/wire/units.ts'

/** What is promised of links: `LinkLedger` does. */
export interface PromisedLinks {
  /** @returns What had to end. */
  setCapacity(hop: Hop, capacity: BitsPerSecond): readonly string[]
  /** In bits per second. */
  headRoom(hop: Hop, claimant?: { readonly id?: string | undefined; readonly priority: number }): number
}

/** For whom a way is looked at. */
export interface WayClaim {
  /** Media go from the node to the facility, or come from there. */
  readonly towards: 'facility' | 'node'
  /** As of `priorityOf`: what has to give way to it counts as free. */
  readonly priority: number
  /** What it holds already counts as free. */
  readonly id?: string | undefined
  /** The only link that counts. */
  readonly link?: LinkName | undefined
}

/** How the way to a facility stands. */
export interface WayStanding {
  /** Null where none is crossed, or none is registered. */
  readonly link: LinkName | null
  readonly condition: LinkCondition
  readonly headRoomBitsPerSecond: number
  /** The link in the direction of the media; absent where none is crossed. */
  readonly hop?: Hop
  /** Other links that lead there. */
  readonly others?: readonly Hop[]
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

  /** Takes over what links carry by the newest registry. @returns What had to end: its link is narrower, or gone. */
  refresh(): readonly string[] {
    const ended: string[] = []
    const links = this.#registry.links()
    const gone = this.#known.filter(name => !links.some(link => link.name === name))
    for (const direction of DIRECTIONS) {
      for (const link of gone) ended.push(...this.#ledger.setCapacity({ link, direction }, bitsPerSecond(0)))
      for (const link of links) ended.push(...this.#ledger.setCapacity({ link: link.name, direction }, bitsPerSecond(link.bitsPerSecond)))
    }
    this.#known = links.map(({ name }) => name)
    return ended
  }

  /** The way to a facility: of several links the one with most room. Within the node's own no link is crossed, and nothing is held back. */
  to(facilityId: FacilityId, claim: WayClaim = { towards: 'facility', priority: 0 }): WayStanding {
    if (facilityId === this.#own) return { link: null, condition: 'sinet', headRoomBitsPerSecond: WITHIN_BITS_PER_SECOND }
    const links = this.#registry.links().filter(({ between }) => between.includes(facilityId) && between.includes(this.#own))
    const direct = links.map(link => this.#standing(link, claim)).filter(({ link }) => claim.link === undefined || link === claim.link)
    const ways = direct.sort((one, other) => other.headRoomBitsPerSecond - one.headRoomBitsPerSecond)
    const way = ways.find(({ condition }) => condition !== 'degraded') ?? ways[0]
    if (way === undefined) return { link: null, condition: 'unregistered', headRoomBitsPerSecond: 0 }
    return { ...way, others: links.filter(({ name }) => name !== way.link).map(link => this.#hop(link, claim)) }
  }

  #standing(link: RegisteredLink, claim: WayClaim): WayStanding {
    const condition = this.#isDegraded(link.name) ? 'degraded' : link.class === 'best-effort' ? 'best_effort' : 'sinet'
    const hop = this.#hop(link, claim)
    return { link: link.name, condition, headRoomBitsPerSecond: Math.max(0, this.#ledger.headRoom(hop, claim)), hop }
  }

  #hop({ name: link, between: [first] }: RegisteredLink, { towards }: WayClaim): Hop {
    return { link, direction: (first === this.#own) === (towards === 'facility') ? 'forward' : 'backward' }
  }
}
