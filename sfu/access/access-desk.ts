import { rateOfLevels } from '../../relay/wire/admission.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { decideGrant, decisionEvent, flows, lossOf, refusalOf, requireStanding } from './grant-decision.ts'
import { mediaOf } from './link-admission.ts'
import type { Grant, GrantedScope, GrantRegistry, GrantSubject } from '../../relay/access/grants/grant-registry.ts'
import type { GrantTokens } from '../../relay/access/grants/grant-tokens.ts'
import type { Possession } from '../../relay/access/grants/proof-of-possession.ts'
import type { Admission } from '../../relay/access/invitation.ts'
import type { GrantId } from '../../relay/wire/access.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { AuditEventInput, AuditLog } from '../../relay/wire/audit-event.ts'
import type { GrantAnswer, GrantRequest } from '../../relay/wire/grant.ts'
import type { ConsultationId } from '../../relay/wire/ids.ts'
import type { GrantDecision, GrantDecisionSources } from './grant-decision.ts'
import type { LinkAdmission } from './link-admission.ts'

/** Grants of one client at once: a page in several windows. */
const MAX_GRANTS_OF_CLIENT = 16
/** An emergency is over after so long: whoever still needs it asks again, and that is recorded. */
export const EMERGENCY_MILLIS = 60 * 60_000

/** So long nobody may be inside by a grant that holds a part of a link. */
export const IDLE_MILLIS = 30_000

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
  readonly admission: LinkAdmission
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
  async grant(asker: Asker, { invitation, purpose, isEmergency, emergencyReason, levels, link }: GrantRequest): Promise<GrantAnswer> {
    const { grants, sources, now } = this.#options
    this.#requireCore()
    const { consultationId, memberId, role } = await this.#read(invitation)
    const subject: GrantSubject = { ...asker, consultationId, memberId, role, purpose, isEmergency, emergencyReason, levels, link }
    requireStanding(sources.registry, subject)
    this.#requireRoom(subject)
    const decision = decideGrant(sources, subject, now())
    const refusal = this.#refusal(decision, subject)
    if (refusal !== undefined) {
      await this.#record(decisionEvent(decision, subject, { grantId: null, outcome: refusal.code, atMillis: now() }), isEmergency)
      throw refusal
    }
    // Whatever changes while it is being recorded ends it like any other. Nobody can name it before it is.
    const began = now()
    const grant = grants.mint(subject, isEmergency ? within(decision.scope, began) : decision.scope)
    if (isEmergency) this.#emergencies.set(grant, began)
    const reservedBitsPerSecond = flows(decision) && decision.way.hop !== undefined ? rateOfLevels(mediaOf(subject)) : 0
    try {
      await this.#record(decisionEvent(decision, subject, { grantId: grant.id, outcome: 'ok', atMillis: now(), reservedBitsPerSecond }), isEmergency)
    } catch (error) {
      grants.end(each => each === grant, toFault(error))
      throw error
    }
    this.#reserve(grant, decision)
    return this.#answer(grant)
  }

  /**
   * Decides anew for whoever holds a grant's token, before it runs out.
   *
   * @throws {RelayFault} as {@link grant}, and as `GrantTokens.read`. A grant that is refused by decision has ended.
   */
  async renew(token: string, possession: Possession): Promise<GrantAnswer> {
    const { grants, sources, tokens, admission, now } = this.#options
    const grant = await tokens.read(token, possession)
    this.#requireCore()
    const { subject } = grant
    const fault = this.#reasonToEnd(grant)
    if (fault !== undefined) {
      this.#end(grant, fault)
      throw fault
    }
    const decision = decideGrant(sources, subject, now(), grant)
    await this.#record(decisionEvent(decision, subject, { grantId: grant.id, outcome: 'ok', atMillis: now(), reservedBitsPerSecond: admission.reservedFor(grant.id) }), subject.isEmergency)
    grant.ended.throwIfAborted()
    // What changed while it was recorded was compared with what the grant had, not with what it gets.
    const lost = lossOf(decideGrant(sources, subject, now(), grant), decision.scope.actions)
    if (lost !== undefined) {
      this.#end(grant, lost)
      throw lost
    }
    this.#orEnd(grant, () => admission.extend(grant.id, subject, decision.consultationUntilMillis, now()))
    grants.renew(grant.id, { ...this.#within(decision.scope, grant), media: grant.media })
    return this.#answer(grant)
  }

  /** Ends what a client holds and does not need any more, and gives back what it had of links. @throws {RelayFault} as `GrantTokens.read`. */
  async giveBack(token: string, possession: Possession): Promise<void> {
    const { grants, tokens } = this.#options
    const grant = await tokens.read(token, possession)
    grants.end(each => each === grant, new RelayFault('access_revoked', 'the grant was given back'))
  }

  /** Ends grants that hold a part of a link while nobody is inside by them: pages that were closed give nothing back. To be called every second. */
  endIdle(): void {
    const { grants, now } = this.#options
    for (const grant of [...grants.all()]) {
      const { idleSinceMillis, media } = grant
      if (media !== null && idleSinceMillis !== undefined && now() - idleSinceMillis >= IDLE_MILLIS) this.#end(grant, new RelayFault('token_refused', 'nobody used what was reserved'))
    }
  }

  /** Links are narrower, or gone: what was reserved on them had to end, and grants end with it. */
  linksChanged(ended: readonly string[]): void {
    this.#giveWay(this.#options.admission.forget(ended), 'the link carries less')
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
    return lossOf(decideGrant(sources, subject, now(), grant), actions)
  }

  /** Why nothing is granted: with what would fit, where a line is too narrow. Undefined when something is. */
  #refusal(decision: GrantDecision, subject: GrantSubject): RelayFault | undefined {
    const { admission, now } = this.#options
    const refusal = refusalOf(decision, subject.role, now())
    if (refusal !== undefined && refusal.code !== 'admission_refused') return refusal
    const shortage = refusal !== undefined || flows(decision) ? admission.preview(subject, decision.way, decision.consultationUntilMillis, now()) : undefined
    return shortage ?? refusal
  }

  /** Within one call: nobody sees a link with more on it than it carries. */
  #reserve(grant: Grant, decision: GrantDecision): void {
    const { admission, grants, now } = this.#options
    grant.ended.throwIfAborted()
    if (!flows(decision)) return
    this.#orEnd(grant, () => {
      const { media, ended } = admission.reserve(grant.id, grant.subject, decision.way, decision.consultationUntilMillis, now())
      this.#giveWay(ended, 'what is more urgent needs the link')
      if (media === null) return
      grant.ended.addEventListener('abort', () => admission.release(grant.id), { once: true })
      grants.renew(grant.id, { ...this.#within(decision.scope, grant), media })
    })
  }

  /** No longer than its emergency may last, if it is one. */
  #within(scope: GrantedScope, grant: Grant): GrantedScope {
    const began = this.#emergencies.get(grant)
    return began === undefined ? scope : within(scope, began)
  }

  #giveWay(ids: readonly GrantId[], why: string): void {
    const given = new Set(ids)
    if (given.size === 0) return
    for (const grant of [...this.#options.grants.all()]) if (given.has(grant.id)) this.#end(grant, new RelayFault('admission_refused', why))
  }

  /** Ends a grant that cannot have what it needs. */
  #orEnd(grant: Grant, act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#end(grant, toFault(error))
      throw error
    }
  }

  #end(grant: Grant, fault: RelayFault): void {
    const { grants, sources, now, log } = this.#options
    const { subject } = grant
    grants.end(each => each === grant, fault)
    log.info({ grantId: grant.id, code: fault.code }, 'a grant ended before its time')
    const decision: GrantDecision = decideGrant(sources, subject, now(), grant)
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
    return { token, grantId: grant.id, role: grant.subject.role, actions: [...grant.actions], validUntilMillis: grant.validUntilMillis, emergencyUntilMillis, media: grant.media }
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
