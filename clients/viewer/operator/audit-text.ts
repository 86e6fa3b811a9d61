import type { AuditEvent } from '../../../relay/wire/audit-event.ts'

/** Who did it, as far as the record says. Names of members come from invitations and are left out. */
export function actorText({ actor: { practitionerId, nodeId, facilityId, role } }: AuditEvent): string {
  const who = practitionerId ?? nodeId ?? role ?? ''
  return facilityId === undefined ? who : who === '' ? facilityId : `${who} (${facilityId})`
}

/** What the event is about, in ids and words of closed sets. */
export function subjectText(event: AuditEvent): string {
  switch (event.kind) {
    case 'decision':
      return [event.consultationId, event.purpose, event.isEmergency ? 'EMERGENCY' : '', `${event.verdicts.filter(({ isAllowed }) => isAllowed).length}/${event.verdicts.length}`].filter(Boolean).join(' ')
    case 'access':
      return [event.access, event.consultationId, ...Object.values(event.subject)].filter(Boolean).join(' ')
    case 'reading':
      return `${event.consultationId} ${event.slideId} ${event.tiles}`
    case 'steering':
      return `${event.consultationId} ${event.moves}`
    case 'consent':
    case 'withdrawal':
      return event.kind === 'withdrawal' ? `${event.consentId} ${event.by}` : event.consentId
    case 'revocation':
      return Object.values(event.revoked).join(' ')
    case 'configuration':
      return [event.what, event.link, event.serviceId, event.version].filter(each => each !== undefined).join(' ')
    case 'ceremony':
      return [event.step, event.nodeId, event.facilityId].filter(Boolean).join(' ')
    case 'sign_in':
      return event.method
    case 'quality':
      return `${event.consultationId} ${event.link}`
    case 'log':
      return event.what
    default:
      return event satisfies never
  }
}

/** How it went; empty where the kind has no outcome. */
export const outcomeText = (event: AuditEvent): string => ('outcome' in event ? event.outcome : '')
