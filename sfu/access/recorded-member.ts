import type { AdmissionHolder } from '../../relay/access/invitation.ts'
import type { GrantId } from '../../relay/wire/access.ts'
import type { ACCESSES, AuditActor, AuditEventInput } from '../../relay/wire/audit-event.ts'
import type { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import type { Role } from '../../relay/wire/signaling.ts'

/** Somebody who does something in a consultation, as it is recorded: an admission, or what a request was granted by. */
export interface RecordedMember {
  readonly consultationId: ConsultationId
  readonly memberId: MemberId
  readonly role: Role
  /** Null where an invitation decides. */
  readonly grantId?: GrantId | null
  readonly holder?: AdmissionHolder | null
}

/** What is done. */
export type RecordedAccess = (typeof ACCESSES)[number]

/** What it is done with. */
export type RecordedSubject = NonNullable<Extract<AuditEventInput, { kind: 'access' }>['subject']>

/** Where it is recorded what members do. Nothing is done before it settles. */
export interface AccessRecord {
  /** @throws {RelayFault} `not_recorded`; never in an emergency. */
  doing(member: RecordedMember, access: RecordedAccess, subject?: RecordedSubject): Promise<void>
  /** The same for what comes many times a minute: it is recorded before the first of each minute. */
  doingOften(member: RecordedMember, access: RecordedAccess, subject?: RecordedSubject): Promise<void>
  /** What was about to be done was not. */
  failed(member: RecordedMember, access: RecordedAccess, error: unknown, subject?: RecordedSubject): void
}

/** Who did it. */
export function actorOf({ memberId, role: seat, holder }: RecordedMember): AuditActor {
  if (holder === undefined || holder === null) return { memberId, seat }
  const { practiceRole: role, facilityId, practitionerId, nodeId } = holder
  return { memberId, seat, role, facilityId, ...(practitionerId === null ? {} : { practitionerId }), ...(nodeId === null ? {} : { nodeId }) }
}

/** Who did it where, and by which grant. */
export function byWhom(member: RecordedMember): { readonly actor: AuditActor; readonly consultationId: ConsultationId; readonly grantId?: GrantId } {
  const { consultationId, grantId } = member
  return { actor: actorOf(member), consultationId, ...(grantId === undefined || grantId === null ? {} : { grantId }) }
}
