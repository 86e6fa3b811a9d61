import { takesPart } from '../../relay/access/consultations/consultation-entry.ts'
import { ACTIONS_OF_ROLE } from '../../relay/access/invitation.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { claimOf, mediaOf } from './link-admission.ts'
import { ACCESS_ACTIONS } from '../../relay/wire/access.ts'
import type { ConsentBook } from '../../relay/access/consent/consent-statement.ts'
import type { ConsultationEntry } from '../../relay/access/consultations/consultation-entry.ts'
import type { Grant, GrantedScope, GrantSubject } from '../../relay/access/grants/grant-registry.ts'
import type { AccessPolicy } from '../../relay/access/policy/access-policy.ts'
import type { RegistryView } from '../../relay/access/registry/registry.ts'
import type { AuditedVerdict, AuditEventInput } from '../../relay/wire/audit-event.ts'
import type { AccessAction, ConsentId, ConsentState, GrantId } from '../../relay/wire/access.ts'
import type { ConsultationId } from '../../relay/wire/ids.ts'
import type { Role } from '../../relay/wire/signaling.ts'
import type { z } from 'zod'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { WayClaim, WayStanding } from './link-standing.ts'

/** A grant has to be renewed after so long. */
export const GRANT_LIFETIME_MILLIS = 5 * 60_000

/** What a seat is for: without any of these it is of no use, and not given. */
const PURPOSE_OF_SEAT: Readonly<Record<Role, readonly AccessAction[]>> = {
  microscope: ['publish_live'],
  viewer: ['view_live', 'view_slide', 'view_recording'],
  technician: ['view_live'],
  scanner: ['send_slide'],
}
/** What takes a line for as long as it goes on: granted only with room reserved for it. */
const FLOWING: readonly AccessAction[] = ['publish_live', 'view_live', 'view_recording']
/** Where several actions are refused, the fault that says most. */
const TELLING: readonly FaultCode[] = ['consent_withdrawn', 'consent_required', 'admission_refused']

/** What a decision is made from. */
export interface GrantDecisionSources {
  readonly registry: Pick<RegistryView, 'version' | 'expiresAtMillis' | 'facility' | 'practitioner' | 'node' | 'isRevoked'>
  readonly consents: Pick<ConsentBook, 'stateOf'> & { consultation(id: ConsultationId): ConsultationEntry | undefined }
  readonly policy: Pick<AccessPolicy, 'decide' | 'sha256'>
  readonly links: { to(facilityId: GrantSubject['facilityId'], claim: WayClaim): WayStanding }
}

/** What was decided about everything that somebody may ask, and what from. */
export interface GrantDecision {
  readonly scope: GrantedScope
  readonly verdicts: readonly (z.infer<typeof AuditedVerdict> & { readonly fault: FaultCode | null })[]
  readonly isParticipant: boolean
  /** When the consultation is over, in milliseconds since the epoch. */
  readonly consultationUntilMillis: number
  readonly way: WayStanding
  readonly registryVersion: number
  readonly policySha256: GrantDecisionSources['policy']['sha256']
}

/** @see RFC 8705 section 3.1: the registry writes thumbprints in hexadecimal. */
const inHex = (base64url: string): string => Buffer.from(base64url, 'base64url').toString('hex')

/** Refuses somebody whom the registry does not know any more as who they were. @throws {RelayFault} `access_revoked`. */
export function requireStanding(registry: GrantDecisionSources['registry'], { facilityId, practitionerId, nodeId, practiceRole, bound }: Omit<GrantSubject, 'consultationId' | 'memberId' | 'role' | 'purpose' | 'isEmergency'>): void {
  const practitioner = practitionerId === null ? undefined : registry.practitioner(practitionerId)
  const node = nodeId === null ? undefined : registry.node(nodeId)
  const isPerson = practitioner?.facilityId === facilityId && practitioner.role === practiceRole
  const isMachine = node?.facilityId === facilityId && practiceRole === 'service'
  const isRevoked = 'x5t#S256' in bound && registry.isRevoked(inHex(bound['x5t#S256']))
  if (registry.facility(facilityId) === undefined || isRevoked || !(practitionerId === null ? isMachine : isPerson)) {
    throw new RelayFault('access_revoked', 'the registry does not know this member any more')
  }
}

/** Decides what somebody may do, by what is known at this moment. Decides without I/O. @param held - The grant that it is decided anew on. */
export function decideGrant({ registry, consents, policy, links }: GrantDecisionSources, subject: GrantSubject, nowMillis: number, held?: Pick<Grant, 'id' | 'media'>): GrantDecision {
  const { consultationId, facilityId, purpose, isEmergency, practiceRole: role } = subject
  const entry = consents.consultation(consultationId)
  const isParticipant = takesPart(entry, facilityId, nowMillis)
  const claim = claimOf(subject, held?.id)
  const way = links.to(facilityId, { ...claim, link: held?.media?.link ?? claim.link })
  const mayFlow = way.hop === undefined || mediaOf(subject).length > 0
  const answers = ACCESS_ACTIONS.map(action => {
    const consent = consents.stateOf({ consultationId, purpose, action, facilityId, nowMillis })
    const { isAllowed, fault } = policy.decide({ role, action, purpose, consent: consent.state, link: way.condition, headRoomBitsPerSecond: way.headRoomBitsPerSecond, isParticipant, isEmergency })
    return { action, isAllowed, fault, consent }
  })
  const granted = answers.filter(({ action, isAllowed }) => isAllowed && ACTIONS_OF_ROLE[subject.role].has(action) && (mayFlow || !FLOWING.includes(action)))
  const bases = granted.map(({ consent }) => consent).filter(({ state }) => state === 'valid')
  const ends = [nowMillis + GRANT_LIFETIME_MILLIS, registry.expiresAtMillis, entry?.validUntilMillis ?? 0, ...bases.map(({ validUntilMillis }) => validUntilMillis ?? Infinity)]
  return {
    scope: {
      actions: new Set(granted.map(({ action }) => action)),
      consentIds: new Set(bases.flatMap(({ consentId }) => consentId ?? [])),
      validUntilMillis: Math.floor(Math.min(...ends)),
    },
    verdicts: answers.map(({ action, isAllowed, fault, consent: { state } }) => ({ action, isAllowed, fault, consent: state })),
    isParticipant,
    consultationUntilMillis: entry?.validUntilMillis ?? nowMillis,
    way,
    registryVersion: registry.version,
    policySha256: policy.sha256,
  }
}

/** Whether anything of it takes a line for as long as it goes on. */
export const flows = ({ scope }: GrantDecision): boolean => FLOWING.some(action => scope.actions.has(action))

/** @returns Why a seat is not given; undefined when it is. */
export function refusalOf(decision: GrantDecision, role: Role, nowMillis: number): RelayFault | undefined {
  const needed = PURPOSE_OF_SEAT[role]
  if (needed.some(action => decision.scope.actions.has(action))) {
    return decision.scope.validUntilMillis > nowMillis ? undefined : new RelayFault('policy_refused', 'what it would rest on has ended')
  }
  return faultOf(decision, needed)
}

/** @returns Why what was granted does not hold any more; undefined when all of it does. */
export function lossOf(decision: GrantDecision, before: ReadonlySet<AccessAction>): RelayFault | undefined {
  const lost = [...before].filter(action => !decision.scope.actions.has(action))
  return lost.length === 0 ? undefined : faultOf(decision, lost)
}

function faultOf({ verdicts }: GrantDecision, actions: readonly AccessAction[]): RelayFault {
  const faults = verdicts.filter(({ action }) => actions.includes(action)).map(({ fault }) => fault)
  const code = TELLING.find(each => faults.includes(each)) ?? 'policy_refused'
  return new RelayFault(code, code === 'consent_withdrawn' ? 'the patient has withdrawn the consent' : 'this is not permitted')
}

/** What is recorded of a decision. */
export function decisionEvent(decision: GrantDecision, subject: GrantSubject, { grantId, outcome, atMillis, reservedBitsPerSecond = 0 }: { readonly grantId: GrantId | null; readonly outcome: FaultCode | 'ok'; readonly atMillis: number; readonly reservedBitsPerSecond?: number }): AuditEventInput {
  const { memberId, role: seat, practiceRole: role, facilityId, practitionerId, nodeId, consultationId, purpose, isEmergency, emergencyReason } = subject
  const { scope, verdicts, isParticipant, way, policySha256, registryVersion } = decision
  const [consentId = null]: readonly (ConsentId | null)[] = [...scope.consentIds]
  return {
    kind: 'decision', atMillis, consultationId, purpose, isEmergency, isParticipant, consentId, grantId, outcome, policySha256, registryVersion,
    actor: { memberId, seat, role, facilityId, ...(practitionerId === null ? {} : { practitionerId }), ...(nodeId === null ? {} : { nodeId }) },
    ...(isEmergency && emergencyReason !== undefined ? { emergencyReason } : {}),
    validUntilMillis: outcome === 'ok' ? scope.validUntilMillis : null,
    verdicts: verdicts.map(({ action, isAllowed, consent }) => ({ action, isAllowed, consent: consent satisfies ConsentState })),
    links: way.link === null ? [] : [{ link: way.link, condition: way.condition, headRoomBitsPerSecond: way.headRoomBitsPerSecond, reservedBitsPerSecond }],
  }
}
