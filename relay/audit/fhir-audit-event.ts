import type { AuditActor, AuditEvent } from '../wire/audit-event.ts'
import type { LogEntry } from './log-lines.ts'

interface Coding {
  readonly system: string
  readonly code: string
  readonly display?: string
}

/** A FHIR R4 AuditEvent as far as this project fills it. @see HL7 FHIR R4, AuditEvent */
export interface FhirAuditEvent {
  readonly resourceType: 'AuditEvent'
  readonly id: string
  readonly type: Coding
  readonly subtype: readonly Coding[]
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E'
  readonly recorded: string
  readonly outcome: '0' | '4' | '8'
  readonly outcomeDesc?: string
  readonly purposeOfEvent?: readonly { readonly coding: readonly Coding[] }[]
  readonly agent: readonly object[]
  readonly source: object
  readonly entity: readonly object[]
}

const DCM = 'http://dicom.nema.org/resources/ontology/DCM'
const OWN = 'https://kenkyo.invalid/fhir/audit'
const AUTHZ = 'https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType'
const OBJECT = { system: 'http://terminology.hl7.org/CodeSystem/audit-entity-type', code: '2', display: 'System Object' }

/** DICOM's words for what happened. @see DICOM PS3.15 section A.5, PS3.16 CID 400 */
const TYPES: Readonly<Record<string, Coding>> = {
  security: { system: DCM, code: '110113', display: 'Security Alert' },
  activity: { system: DCM, code: '110100', display: 'Application Activity' },
  authentication: { system: DCM, code: '110114', display: 'User Authentication' },
  accessed: { system: DCM, code: '110103', display: 'DICOM Instances Accessed' },
  export: { system: DCM, code: '110106', display: 'Export' },
  import: { system: DCM, code: '110107', display: 'Import' },
  log: { system: DCM, code: '110101', display: 'Audit Log Used' },
}

const TYPE_OF: Readonly<Record<AuditEvent['kind'], keyof typeof TYPES>> = {
  decision: 'security', access: 'accessed', reading: 'accessed', steering: 'activity', consent: 'security', withdrawal: 'security', revocation: 'security',
  configuration: 'activity', ceremony: 'security', sign_in: 'authentication', quality: 'activity', log: 'log',
}

const CREATES = new Set(['publish', 'keep_still', 'start_recording', 'send_slide'])
const UPDATES = new Set(['annotate_slide', 'complete_slide'])

/** @see HL7 v3 ActReason */
const PURPOSES: Readonly<Record<string, string>> = { intraoperative_diagnosis: 'TREAT', consultation: 'TREAT', teaching: 'TRAIN', operation: 'HSYSADMIN' }

function typeOf(event: AuditEvent): Coding {
  const byAccess = event.kind !== 'access' ? undefined : event.access === 'export_slide' ? TYPES['export'] : event.access === 'send_slide' || event.access === 'complete_slide' ? TYPES['import'] : undefined
  return byAccess ?? (TYPES[TYPE_OF[event.kind]] as Coding)
}

function subtypeOf(event: AuditEvent): Coding[] {
  const own: Coding = { system: OWN, code: event.kind === 'access' ? event.access : event.kind === 'log' || event.kind === 'configuration' ? `${event.kind}.${event.what}` : event.kind }
  return event.kind === 'decision' ? [{ system: AUTHZ, code: event.consentId === null ? 'AuthZ-Role' : 'AuthZ-Consent' }, own] : [own]
}

function actionOf(event: AuditEvent): FhirAuditEvent['action'] {
  if (event.kind === 'reading') return 'R'
  if (event.kind === 'consent') return 'C'
  if (event.kind === 'configuration') return 'U'
  if (event.kind !== 'access') return 'E'
  if (CREATES.has(event.access)) return 'C'
  if (UPDATES.has(event.access)) return 'U'
  if (event.access.startsWith('delete_')) return 'D'
  return event.access.startsWith('view_') || event.access === 'open_slide' || event.access === 'list_slides' || event.access === 'export_slide' ? 'R' : 'E'
}

function agentsOf({ memberId, practitionerId, facilityId, nodeId, role, seat }: AuditActor): object[] {
  const who = practitionerId ?? memberId ?? nodeId
  if (who === undefined) return [{ who: { identifier: { system: `${OWN}/node`, value: 'this-node' } }, requestor: false }]
  const system = practitionerId !== undefined ? 'practitioner' : memberId !== undefined ? 'member' : 'node'
  const roles = [role, seat].filter(each => each !== undefined).map(code => ({ coding: [{ system: `${OWN}/role`, code }] }))
  const person = { ...(roles.length > 0 ? { role: roles } : {}), who: { identifier: { system: `${OWN}/${system}`, value: who } }, requestor: true }
  return facilityId === undefined ? [person] : [person, { who: { identifier: { system: `${OWN}/facility`, value: facilityId } }, requestor: false }]
}

/** Everything that the event names, as objects by their ids, and the event itself as the last. */
function entitiesOf({ event }: LogEntry): object[] {
  const { kind: _kind, atMillis: _at, actor: _actor, ...rest } = event
  const named = { ...('consultationId' in event ? { consultationId: event.consultationId } : {}), ...('slideId' in event ? { slideId: event.slideId } : {}), ...('consentId' in event ? { consentId: event.consentId } : {}), ...('grantId' in event ? { grantId: event.grantId } : {}), ...(event.kind === 'access' ? event.subject : {}) }
  const objects = Object.entries(named).flatMap(([name, value]) => (typeof value === 'string' ? [{ what: { identifier: { system: `${OWN}/${name}`, value } }, type: OBJECT }] : []))
  const detail = { what: { identifier: { system: `${OWN}/event`, value: event.kind } }, type: OBJECT, detail: [{ type: 'event', valueBase64Binary: Buffer.from(JSON.stringify(rest)).toString('base64') }] }
  return [...objects, detail]
}

/**
 * One entry as a FHIR R4 AuditEvent. `docs/AUDIT.md` says which patterns of IHE's BALP it follows, and that none is claimed.
 *
 * @param site - Names the observer.
 */
export function fhirAuditEvent(entry: LogEntry, site: string): FhirAuditEvent {
  const { event, sequence } = entry
  const outcome = 'outcome' in event ? event.outcome : 'ok'
  const purpose = event.kind === 'decision' ? PURPOSES[event.purpose] : undefined
  return {
    resourceType: 'AuditEvent',
    id: `event-${sequence}`,
    type: typeOf(event),
    subtype: subtypeOf(event),
    action: actionOf(event),
    recorded: new Date(event.atMillis).toISOString(),
    // 4: the action was refused, 8: it failed for a reason of ours.
    outcome: outcome === 'ok' ? '0' : outcome === 'internal' || outcome === 'unavailable' || outcome === 'not_recorded' ? '8' : '4',
    ...(outcome === 'ok' ? {} : { outcomeDesc: outcome }),
    ...(purpose === undefined ? {} : { purposeOfEvent: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: purpose }] }] }),
    agent: agentsOf(event.actor),
    source: { site, observer: { identifier: { system: `${OWN}/site`, value: site } }, type: [{ system: 'http://terminology.hl7.org/CodeSystem/security-source-type', code: '4', display: 'Application Server' }] },
    entity: entitiesOf(entry),
  }
}
