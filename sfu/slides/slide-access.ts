import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { Admission } from '../../relay/access/invitation.ts'
import type { ConsultationId, MemberId, SlideId } from '../../relay/wire/ids.ts'
import type { Role } from '../../relay/wire/signaling.ts'
import type { SlideCatalogue } from '../../relay/slides/transfer/slide-catalogue.ts'
import type { SlideRecord } from '../../relay/slides/store/slide-store.ts'
import type { FastifyRequest } from 'fastify'

/** Roles that have to do with slides, or stills. A microscope may show a slide of its consultation, see `reader` in `viewer-routes.ts`. */
export type SlideRole = Role

/** Verified tokens that are remembered, and for how long at most. */
const MAX_TOKENS = 1024
const TOKEN_LIFETIME_MILLIS = 60_000
/** As signaling takes it. */
const MAX_TOKEN_CHARACTERS = 4096

let mint: (admission: Admission, role: SlideRole) => SlideGrant

/** Proof that a request comes from somebody invited who has to do with slides. Only {@link SlideAccess} can make one. */
export class SlideGrant {
  readonly #consultationId: ConsultationId
  readonly memberId: MemberId
  readonly role: SlideRole

  static {
    mint = (admission, role) => new SlideGrant(admission, role)
  }

  private constructor({ consultationId, memberId }: Admission, role: SlideRole) {
    this.#consultationId = consultationId
    this.memberId = memberId
    this.role = role
  }

  get consultationId(): ConsultationId {
    return this.#consultationId
  }

  /** A slide that this grant is for. @throws {RelayFault} `not_found`; `grant_refused` for one of another consultation. */
  slide(catalogue: SlideCatalogue, slideId: SlideId): SlideRecord {
    const record = catalogue.slide(slideId)
    if (record.consultationId !== this.#consultationId) throw new RelayFault('grant_refused', 'this slide belongs to another consultation')
    return record
  }
}

/** The one place where it is decided who may ask for slides: who holds an invitation, as `Authorization: Bearer`. @see RFC 6750 section 2.1 */
export class SlideAccess implements Disposable {
  readonly #verify: (token: string) => Promise<Admission>
  readonly #admissions = new LRUCache<string, Admission>({ max: MAX_TOKENS, ttl: TOKEN_LIFETIME_MILLIS, dispose: admission => admission.release() })

  constructor(verify: (token: string) => Promise<Admission>) {
    this.#verify = verify
  }

  /** @throws {RelayFault} `invitation_refused`, `invitation_expired`; `grant_refused` for another role. */
  async grant({ headers }: Pick<FastifyRequest, 'headers'>, ...roles: readonly SlideRole[]): Promise<SlideGrant> {
    const token = /^Bearer ([\w.-]+)$/i.exec(headers.authorization ?? '')?.[1]
    if (token === undefined || token.length > MAX_TOKEN_CHARACTERS) throw new RelayFault('invitation_refused', 'an invitation is needed')
    const admission = await this.#admit(token)
    const role = roles.find(each => each === admission.role)
    if (role === undefined) throw new RelayFault('grant_refused', `not for a ${admission.role}`)
    return mint(admission, role)
  }

  [Symbol.dispose](): void {
    this.#admissions.clear()
  }

  async #admit(token: string): Promise<Admission> {
    // A dump of this process's memory needs no tokens in it.
    const key = createHash('sha256').update(token).digest('base64')
    const known = this.#admissions.get(key)
    if (known !== undefined) {
      known.expired.throwIfAborted()
      return known
    }
    const admission = await this.#verify(token)
    this.#admissions.set(key, admission)
    return admission
  }
}
