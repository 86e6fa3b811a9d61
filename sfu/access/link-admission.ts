import { priorityOf } from '../../relay/access/ledger/link-ledger.ts'
import { GrantId } from '../../relay/wire/access.ts'
import { AdmissionRefusal, USUAL_MEDIA } from '../../relay/wire/admission.ts'
import { bitsPerSecond } from '../../relay/wire/units.ts'
import type { GrantSubject } from '../../relay/access/grants/grant-registry.ts'
import type { Hop, LinkLedger, ReservationAnswer, ReservationRequest } from '../../relay/access/ledger/link-ledger.ts'
import type { AdmissionOffer, GrantedMedia, MediaLevels } from '../../relay/wire/admission.ts'
import type { WayClaim, WayStanding } from './link-standing.ts'

/** What a grant holds of a link. */
interface Holding {
  readonly request: ReservationRequest
}

/** What became of asking for a grant's media. */
export interface ReservedWay {
  /** Null where no link is crossed. */
  readonly media: GrantedMedia | null
  /** Grants that had to give way. */
  readonly ended: readonly GrantId[]
}

/** How a way is looked at for somebody, with what is held already counting as free. */
export const claimOf = ({ role, purpose, isEmergency, link }: GrantSubject, id?: GrantId): WayClaim =>
  ({ towards: role === 'microscope' || role === 'scanner' ? 'node' : 'facility', priority: priorityOf(purpose, isEmergency), id, link })

/** What shall flow to or from somebody. */
export const mediaOf = ({ role, levels }: Pick<GrantSubject, 'role' | 'levels'>): MediaLevels => levels ?? USUAL_MEDIA[role]

/** Reserves on links what grants make flow over them, in the ledger's order of urgency. */
export class LinkAdmission {
  readonly #ledger: LinkLedger
  readonly #holdings = new Map<string, Holding>()

  constructor(ledger: LinkLedger) {
    this.#ledger = ledger
  }

  /**
   * Reserves for a grant, or says what would fit.
   *
   * @param untilMillis - When the consultation is over.
   * @throws {RelayFault} `admission_refused`, an `AdmissionRefusal`; then nothing has changed.
   */
  reserve(id: GrantId, subject: GrantSubject, way: WayStanding, untilMillis: number, nowMillis: number): ReservedWay {
    const request = requestOf(id, subject, way, untilMillis)
    if (request === undefined || way.link === null) return { media: null, ended: [] }
    const answer = this.#ledger.request(request, nowMillis)
    if (answer.state === 'refused') throw refusalOf(answer, subject)
    this.#holdings.set(id, { request })
    return { media: { link: way.link, levels: mediaOf(subject) }, ended: this.forget(answer.ended) }
  }

  /** Why a link could not carry it at this moment; undefined where it could. */
  preview(subject: GrantSubject, way: WayStanding, untilMillis: number, nowMillis: number): AdmissionRefusal | undefined {
    const request = requestOf('preview', subject, way, untilMillis)
    const answer = request === undefined ? undefined : this.#ledger.preview(request, nowMillis)
    return answer?.state === 'refused' ? refusalOf(answer, subject) : undefined
  }

  /** Gives back what a grant held. Idempotent. */
  release(id: GrantId): void {
    this.#holdings.delete(id)
    this.#ledger.release(id)
  }

  /** Holds on for as long as a consultation lasts by now. @throws {RelayFault} as {@link reserve}, when it had run out and others came. */
  extend(id: GrantId, subject: GrantSubject, untilMillis: number, nowMillis: number): void {
    const holding = this.#holdings.get(id)
    if (holding === undefined) return
    const request = { ...holding.request, untilMillis }
    const answer = this.#ledger.request(request, nowMillis)
    if (answer.state === 'refused') throw refusalOf(answer, subject)
    this.#holdings.set(id, { ...holding, request })
  }

  /** What the ledger ended. @returns Whose it was. */
  forget(ids: readonly string[]): GrantId[] {
    for (const id of ids) this.#holdings.delete(id)
    return ids.map(id => GrantId.parse(id))
  }

  /** Bits per second that are reserved for a grant. */
  reservedFor(id: GrantId): number {
    return this.#holdings.get(id)?.request.levels.reduce((sum, level) => sum + level.bitsPerSecond, 0) ?? 0
  }
}

function requestOf(id: string, subject: GrantSubject, { hop, others = [] }: WayStanding, untilMillis: number): ReservationRequest | undefined {
  const levels = mediaOf(subject).map(({ level, bitsPerSecond: rate }) => ({ name: level, bitsPerSecond: bitsPerSecond(rate) }))
  if (hop === undefined || levels.length === 0) return undefined
  return { id, priority: priorityOf(subject.purpose, subject.isEmergency), levels, route: [hop], otherRoutes: others.map(other => [other]), untilMillis }
}

function refusalOf({ hop: { link }, shortageBitsPerSecond, offers }: Extract<ReservationAnswer, { state: 'refused' }>, subject: GrantSubject): AdmissionRefusal {
  const asked = mediaOf(subject)
  return new AdmissionRefusal({
    link, shortageBitsPerSecond,
    offers: offers.flatMap((offer): AdmissionOffer | [] => {
      if (offer.kind === 'later') return offer
      if (offer.kind === 'fewer_levels') return { kind: 'fewer_levels', levels: asked.slice(0, offer.levels.length) }
      const [first]: readonly (Hop | undefined)[] = offer.route
      return first === undefined ? [] : { kind: 'other_link', link: first.link }
    }),
  })
}
