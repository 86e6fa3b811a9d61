import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { decideGrant, decisionEvent, lossOf, refusalOf, requireStanding } from './grant-decision.ts'
import type { Grant, GrantedScope, GrantRegistry, GrantSubject } from '../../relay/access/grants/grant-registry.ts'
import type { GrantTokens } from '../../relay/access/grants/grant-tokens.ts'
import type { Possession } from '../../relay/access/grants/proof-of-possession.ts'
import type { Admission } from '../../relay/access/invitation.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { AuditEventInput, AuditLog } from '../../relay/wire/audit-event.ts'
import type { GrantAnswer, GrantRequest } from '../../relay/wire/grant.ts'
import type { ConsultationId } from '../../relay/wire/ids.ts'
import type { GrantDecision, GrantDecisionSources } from './grant-decision.ts'

/** Grants of one client at once: a page in several windows. */
const MAX_GRANTS_OF_CLIENT = 16
/** An emergency is over after so long: whoever still needs it asks again, and that is recorded. */
export const EMERGENCY_MILLIS = 60 * 60_000

/** Who asks, as far as it was proven. */
export type Asker = Pick<GrantSubject, 'facilityId' | 'practiceRole' | 'practitionerId' | 'nodeId' | 'bound'>

/** What the desk stands on. */
export interface AccessDeskOptions {
  readonly sources: GrantDecisionSources
  /** Whether the core was heard so lately that something may be granted. */
  readonly isCoreReachable: () => boolean
  /** @throws {RelayFault} `invitation_refused`, `invitation_expired`. */
  readonly readInvitation: (invitation: string) => Promise<Admission>
  readonly grants: GrantRegistry
  readonly tokens: Pick<GrantTokens, 'issue' | 'read' | 'verify'>
  readonly audit: AuditLog
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly log: Logger
}

/** Where a node of a platform gives grants, renews them, and ends them when what they rest on does. */
export class AccessDesk {
  readonly #options: AccessDeskOptions
  /** When emergencies began, in milliseconds since the epoch. */
  readonly #emergencies = new WeakMap<Grant, number>()

  constructor(options: AccessDeskOptions) {
    this.#options = options
  }

  get isCoreReachable(): boolean {
    return this.#options.isCoreReachable()
  }

  /** What a token's holder enters with. @throws {RelayFault} as `GrantTokens.verify`. */
  verify(token: string, possession: Possession): Promise<Admission> {
    return this.#options.tokens.verify(token, possession)
  }

  /**
   * Decides, records, and grants: in this order, as far as anybody can use it.
   *
   * @throws {RelayFault} `core_unreachable`, `invitation_refused`, `invitation_expired`, `access_revoked`, `overloaded`,
   *   `not_recorded`; `consent_withdrawn`, `consent_required`, `admission_refused` or `policy_refused` by decision.
   */
  async grant(asker: Asker, { invitation, purpose, isEmergency, emergencyReason }: GrantRequest): Promise<GrantAnswer> {
    const { grants, sources, now } = this.#options
    this.#requireCore()
    const { consultationId, memberId, role } = await this.#read(invitation)
    const subject: GrantSubject = { ...asker, consultationId, memberId, role, purpose, isEmergency, emergencyReason }
    requireStanding(sources.registry, subject)
    this.#requireRoom(subject)
    const decision = decideGrant(sources, subject, now())
    const refusal = refusalOf(decision, role, now())
    if (refusal !== undefined) {
      await this.#record(decisionEvent(decision, subject, { grantId: null, outcome: refusal.code, atMillis: now() }), isEmergency)
      throw refusal
    }
    // Whatever changes while it is being recorded ends it like any other. Nobody can name it before it is.
    const began = now()
    const grant = grants.mint(subject, isEmergency ? within(decision.scope, began) : decision.scope)
    if (isEmergency) this.#emergencies.set(grant, began)
    try {
      await this.#record(decisionEvent(decision, subject, { grantId: grant.id, outcome: 'ok', atMillis: now() }), isEmergency)
    } catch (error) {
      grants.end(each => each === grant, toFault(error))
      throw error
    }
    return this.#answer(grant)
  }

  /**
   * Decides anew for whoever holds a grant's token, before it runs out.
   *
   * @throws {RelayFault} as {@link grant}, and as `GrantTokens.read`. A grant that is refused by decision has ended.
   */
  async renew(token: string, possession: Possession): Promise<GrantAnswer> {
    const { grants, sources, tokens, now } = this.#options
    const grant = await tokens.read(token, possession)
    this.#requireCore()
    const { subject } = grant
    const fault = this.#reasonToEnd(grant)
    if (fault !== undefined) {
      this.#end(grant, fault)
      throw fault
    }
    const decision = decideGrant(sources, subject, now())
    await this.#record(decisionEvent(decision, subject, { grantId: grant.id, outcome: 'ok', atMillis: now() }), subject.isEmergency)
    grant.ended.throwIfAborted()
    // What changed while it was recorded was compared with what the grant had, not with what it gets.
    const lost = lossOf(decideGrant(sources, subject, now()), decision.scope.actions)
    if (lost !== undefined) {
      this.#end(grant, lost)
      throw lost
    }
    const began = this.#emergencies.get(grant)
    grants.renew(grant.id, began === undefined ? decision.scope : within(decision.scope, began))
    return this.#answer(grant)
  }

  /** Decides anew on everything granted in a consultation: what any of it has lost ends it within this call. */
  reconsider(consultationId?: ConsultationId): void {
    for (const grant of [...this.#options.grants.all()]) {
      if (consultationId !== undefined && grant.subject.consultationId !== consultationId) continue
      const fault = this.#reasonToEnd(grant)
      if (fault !== undefined) this.#end(grant, fault)
    }
  }

  #reasonToEnd(grant: Grant): RelayFault | undefined {
    const { sources, now } = this.#options
    const { subject, actions } = grant
    const began = this.#emergencies.get(grant)
    if (began !== undefined && now() - began >= EMERGENCY_MILLIS) return new RelayFault('access_revoked', 'the emergency has lasted as long as it may')
    try {
      requireStanding(sources.registry, subject)
    } catch (error) {
      return toFault(error)
    }
    // Media that flow do not ask again: a grant that has lost anything ends whole, and its holder asks for what is left.
    return lossOf(decideGrant(sources, subject, now()), actions)
  }

  #end(grant: Grant, fault: RelayFault): void {
    const { grants, sources, now, log } = this.#options
    const { subject } = grant
    grants.end(each => each === grant, fault)
    log.info({ grantId: grant.id, code: fault.code }, 'a grant ended before its time')
    const decision: GrantDecision = decideGrant(sources, subject, now())
    // It has ended already: that cannot be refused any more.
    this.#record(decisionEvent(decision, subject, { grantId: grant.id, outcome: fault.code, atMillis: now() }), subject.isEmergency)
      .catch((error: unknown) => log.error({ code: toFault(error).code, grantId: grant.id }, 'the end of a grant is not recorded'))
  }

  async #read(invitation: string): Promise<Admission> {
    const admission = await this.#options.readInvitation(invitation)
    admission.release()
    return admission
  }

  async #answer(grant: Grant): Promise<GrantAnswer> {
    grant.ended.throwIfAborted()
    const token = await this.#options.tokens.issue(grant)
    grant.ended.throwIfAborted()
    const began = this.#emergencies.get(grant)
    const emergencyUntilMillis = began === undefined ? null : began + EMERGENCY_MILLIS
    return { token, grantId: grant.id, role: grant.subject.role, actions: [...grant.actions], validUntilMillis: grant.validUntilMillis, emergencyUntilMillis }
  }

  async #record(event: AuditEventInput, isEmergency: boolean): Promise<void> {
    const { audit } = this.#options
    await (isEmergency ? audit.recordEmergency(event) : audit.record(event))
  }

  #requireCore(): void {
    if (!this.isCoreReachable) throw new RelayFault('core_unreachable', 'the platform\'s core cannot be heard: nothing new is granted')
  }

  #requireRoom({ bound }: GrantSubject): void {
    const key = JSON.stringify(bound)
    const held = [...this.#options.grants.all()].filter(({ subject }) => JSON.stringify(subject.bound) === key).length
    if (held >= MAX_GRANTS_OF_CLIENT) throw new RelayFault('overloaded', 'this client holds as many grants as it may')
  }
}

/** No longer than an emergency may last that began then. */
const within = (scope: GrantedScope, beganMillis: number): GrantedScope => ({ ...scope, validUntilMillis: Math.min(scope.validUntilMillis, beganMillis + EMERGENCY_MILLIS) })
