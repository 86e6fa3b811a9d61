import { t } from 'tap'
import { NO_ENTRY, LogEntry } from './log-lines.ts'
import { fhirAuditEvent } from './fhir-audit-event.ts'

const entryOf = (event: object): LogEntry => LogEntry.parse({ sequence: 7, recordedAtMillis: 2, previous: NO_ENTRY, event: { atMillis: 0, actor: { memberId: 'm', facilityId: 'f', seat: 'viewer' }, ...event } })
const SLIDE = '6f0c1d0e-1111-4222-8333-444455556666'

t.test('an opened slide is read, by a member of a facility, and names the slide', async t => {
  const exported = fhirAuditEvent(entryOf({ kind: 'access', access: 'open_slide', consultationId: 'case-1', subject: { slideId: SLIDE }, outcome: 'ok' }), 'node-1')
  t.match(exported, {
    resourceType: 'AuditEvent', id: 'event-7', type: { code: '110103' }, subtype: [{ code: 'open_slide' }], action: 'R', recorded: '1970-01-01T00:00:00.000Z', outcome: '0',
    agent: [{ who: { identifier: { value: 'm' } }, requestor: true }, { who: { identifier: { value: 'f' } }, requestor: false }],
    source: { observer: { identifier: { value: 'node-1' } } },
  })
  t.ok(exported.entity.some(entity => JSON.stringify(entity).includes(SLIDE)))
})

t.test('a refused decision has the code that it was refused with, and everything it was made from', async t => {
  const event = {
    kind: 'decision', consultationId: 'case-1', purpose: 'consultation', isEmergency: false, isParticipant: true, consentId: SLIDE, grantId: null, validUntilMillis: null,
    outcome: 'consent_withdrawn', verdicts: [{ action: 'view_live', isAllowed: false, consent: 'withdrawn' }], links: [], policySha256: null, registryVersion: 3,
  }
  const exported = fhirAuditEvent(entryOf(event), 'node-1')
  t.match(exported, { type: { code: '110113' }, subtype: [{ code: 'AuthZ-Consent' }, { code: 'decision' }], action: 'E', outcome: '4', outcomeDesc: 'consent_withdrawn', purposeOfEvent: [{ coding: [{ code: 'TREAT' }] }] })
  const { detail } = exported.entity.at(-1) as { detail: [{ valueBase64Binary: string }] }
  t.match(JSON.parse(Buffer.from(detail[0].valueBase64Binary, 'base64').toString()), { verdicts: event.verdicts, registryVersion: 3 })
})
