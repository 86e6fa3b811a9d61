import type { LinkEvent, LinkSnapshot } from '../../relay/links/measurement/link-snapshot.ts'
import type { LinkName, TrafficClass } from '../../relay/wire/link.ts'

/** What of a link is not as agreed at this moment. */
export interface LinkStanding {
  readonly degraded: readonly TrafficClass[]
  /** For each promise that is broken now, the event that said so. */
  readonly broken: readonly LinkEvent[]
}

interface Memory {
  readonly openedAt: number
  readonly degraded: Set<TrafficClass>
  readonly broken: Map<string, LinkEvent>
}

/** What an event is about: its path, its class, and the term of the contract that `evidence.term` names. */
const subject = ({ path, class: id, evidence }: LinkEvent): string => `${path ?? ''}/${id ?? ''}/${String(evidence['term'] ?? '')}`

/**
 * Follows the events of links to what holds now. A snapshot has only the last events, so what an
 * older one said is kept here until a later one takes it back. It must see every snapshot of note;
 * seeing one twice does no harm.
 */
export class LinkStandings {
  readonly #links = new Map<LinkName, Memory>()

  /** What holds of the link, its events up to this snapshot taken in. */
  read({ link, openedAt, events }: LinkSnapshot): LinkStanding {
    let memory = this.#links.get(link)
    if (memory?.openedAt !== openedAt) this.#links.set(link, (memory = { openedAt, degraded: new Set(), broken: new Map() }))
    for (const event of events) take(memory, event)
    return { degraded: [...memory.degraded], broken: [...memory.broken.values()] }
  }

  /** Forgets the links that are not among `present`. */
  retain(present: ReadonlySet<LinkName>): void {
    for (const link of this.#links.keys()) if (!present.has(link)) this.#links.delete(link)
  }
}

function take({ degraded, broken }: Memory, event: LinkEvent): void {
  switch (event.kind) {
    case 'class_degraded':
      if (event.class !== undefined) degraded.add(event.class)
      return
    case 'class_recovered':
      if (event.class !== undefined) degraded.delete(event.class)
      return
    case 'contract_broken':
      broken.set(subject(event), event)
      return
    case 'contract_kept':
      broken.delete(subject(event))
      return
    case 'link_opened':
    case 'link_closed':
    case 'path_up':
    case 'path_down':
    case 'path_rebound':
    case 'rekeyed':
      return
    default:
      event.kind satisfies never
  }
}
