import { GrantId } from '../../wire/access.ts'
import { RelayFault } from '../../wire/fault.ts'
import { Deadline, mintAdmission } from '../invitation.ts'
import type { AccessAction, ConsentId, EmergencyReason, FacilityId, NodeId, PracticeRole, PractitionerId, Purpose } from '../../wire/access.ts'
import type { ConsultationId, MemberId } from '../../wire/ids.ts'
import type { GrantedMedia, MediaLevels } from '../../wire/admission.ts'
import type { LinkName } from '../../wire/link.ts'
import type { Role } from '../../wire/signaling.ts'
import type { Admission } from '../invitation.ts'
import type { Confirmation } from './proof-of-possession.ts'

/** Grants of one node at once. */
const MAX_GRANTS = 4096

/** Whom a grant is for, and for what: it never changes. */
export interface GrantSubject {
  readonly consultationId: ConsultationId
  readonly memberId: MemberId
  /** What the invitation says. */
  readonly role: Role
  readonly practiceRole: PracticeRole
  readonly facilityId: FacilityId
  /** Null for a machine. */
  readonly practitionerId: PractitionerId | null
  /** Null for a person. */
  readonly nodeId: NodeId | null
  readonly purpose: Purpose
  readonly isEmergency: boolean
  readonly emergencyReason?: EmergencyReason | undefined
  /** What shall flow over a link; the usual of the seat where it is left out. */
  readonly levels?: MediaLevels | undefined
  /** The only link that it shall be reserved on. */
  readonly link?: LinkName | undefined
  /** Whom its tokens are bound to. */
  readonly bound: Confirmation
}

/** What is granted, until it is decided anew. */
export interface GrantedScope {
  readonly actions: ReadonlySet<AccessAction>
  /** The consents that it rests on. */
  readonly consentIds: ReadonlySet<ConsentId>
  /** Milliseconds since the epoch. */
  readonly validUntilMillis: number
  /** What may flow over a link; null where none is crossed. */
  readonly media?: GrantedMedia | null
}

let mint: (subject: GrantSubject, scope: GrantedScope) => Grant
let renewGrant: (grant: Grant, scope: GrantedScope) => void
let endGrant: (grant: Grant, reason: RelayFault) => void

/** A permission of one member, which expires. Only {@link GrantRegistry} can make, renew and end one. */
export class Grant {
  readonly id = GrantId.parse(crypto.randomUUID())
  readonly subject: GrantSubject
  readonly #ended = new AbortController()
  readonly #deadline = new Deadline(this.#ended, () => new RelayFault('invitation_expired', 'the grant has expired'))
  #scope: GrantedScope
  #inside = 0
  #idleSinceMillis = Date.now()

  static {
    mint = (subject, scope) => new Grant(subject, scope)
    renewGrant = (grant, scope) => grant.#renew(scope)
    endGrant = (grant, reason) => grant.#end(reason)
  }

  private constructor(subject: GrantSubject, scope: GrantedScope) {
    this.subject = subject
    this.#scope = scope
    this.#deadline.set(scope.validUntilMillis)
  }

  /** What it permits at this moment. */
  get actions(): ReadonlySet<AccessAction> {
    return this.#scope.actions
  }

  /** The consents that it rests on. */
  get consentIds(): ReadonlySet<ConsentId> {
    return this.#scope.consentIds
  }

  /** Milliseconds since the epoch. */
  get validUntilMillis(): number {
    return this.#scope.validUntilMillis
  }

  /** What may flow over a link; null where none is crossed. */
  get media(): GrantedMedia | null {
    return this.#scope.media ?? null
  }

  /** Aborts with the fault that says why. */
  get ended(): AbortSignal {
    return this.#ended.signal
  }

  /** Since when nobody is inside by it, in milliseconds since the epoch; undefined while somebody is. */
  get idleSinceMillis(): number | undefined {
    return this.#inside > 0 ? undefined : this.#idleSinceMillis
  }

  /** What its holder enters with. */
  admit(): Admission {
    const { id: grantId, ended, subject } = this
    const current = (): GrantedScope => this.#scope
    return mintAdmission(subject, {
      grantId, ended, holder: subject, enter: () => this.#enter(),
      get actions() {
        return current().actions
      },
      get media() {
        return current().media ?? null
      },
      get validUntilMillis() {
        return current().validUntilMillis
      },
    })
  }

  #enter(): () => void {
    this.#inside++
    return () => {
      this.#inside--
      this.#idleSinceMillis = Date.now()
    }
  }

  #renew(scope: GrantedScope): void {
    this.#ended.signal.throwIfAborted()
    this.#scope = scope
    this.#deadline.set(scope.validUntilMillis)
  }

  #end(reason: RelayFault): void {
    this.#deadline.clear()
    this.#ended.abort(reason)
  }
}

/** The grants of one node. The only one that makes them, and that ends them before their time. */
export class GrantRegistry {
  readonly #grants = new Map<GrantId, Grant>()
  readonly #capacity: number

  constructor(capacity: number = MAX_GRANTS) {
    this.#capacity = capacity
  }

  /** Grants that hold now. */
  get size(): number {
    return this.#grants.size
  }

  /** Grants that hold now. */
  all(): IterableIterator<Grant> {
    return this.#grants.values()
  }

  /** @throws {RelayFault} `overloaded` when this node has as many as it may. */
  mint(subject: GrantSubject, scope: GrantedScope): Grant {
    if (this.#grants.size >= this.#capacity) throw new RelayFault('overloaded', 'this node has as many grants as it may')
    const grant = mint(subject, scope)
    this.#grants.set(grant.id, grant)
    const forget = (): boolean => this.#grants.delete(grant.id)
    if (grant.ended.aborted) forget()
    else grant.ended.addEventListener('abort', forget, { once: true })
    return grant
  }

  /** One that holds. @throws {RelayFault} `token_refused` for one that ended, or never was. */
  require(id: GrantId): Grant {
    const grant = this.#grants.get(id)
    if (grant === undefined) throw new RelayFault('token_refused', 'this grant does not hold any more')
    return grant
  }

  /** Puts what was decided anew in place of what was. @throws {RelayFault} `token_refused` for one that ended. */
  renew(id: GrantId, scope: GrantedScope): Grant {
    const grant = this.require(id)
    renewGrant(grant, scope)
    return grant
  }

  /**
   * Ends every grant of which `isConcerned` holds, at once: whoever watches its signal stops within this call.
   *
   * @returns Which they were.
   */
  end(isConcerned: (grant: Grant) => boolean, reason: RelayFault): GrantId[] {
    const concerned = [...this.#grants.values()].filter(isConcerned)
    for (const grant of concerned) endGrant(grant, reason)
    return concerned.map(({ id }) => id)
  }
}

/** What a withdrawal, a revocation or an end concerns. */
export const concerns = {
  everything: (): boolean => true,
  consultation: (id: ConsultationId) => ({ subject }: Grant): boolean => subject.consultationId === id,
  consent: (id: ConsentId) => ({ consentIds }: Grant): boolean => consentIds.has(id),
  facility: (id: FacilityId) => ({ subject }: Grant): boolean => subject.facilityId === id,
  practitioner: (id: PractitionerId) => ({ subject }: Grant): boolean => subject.practitionerId === id,
  node: (id: NodeId) => ({ subject }: Grant): boolean => subject.nodeId === id,
  holder: (bound: Confirmation) => ({ subject }: Grant): boolean => JSON.stringify(subject.bound) === JSON.stringify(bound),
} as const
