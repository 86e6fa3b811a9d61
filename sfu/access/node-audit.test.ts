import { t } from 'tap'
import { createLogger } from '../../relay/runtime/log.ts'
import { FacilityId, GrantId, PractitionerId } from '../../relay/wire/access.ts'
import { AuditEvent } from '../../relay/wire/audit-event.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ConsultationId, MemberId, SessionId, Sha256, SlideId } from '../../relay/wire/ids.ts'
import { NodeAudit } from './node-audit.ts'
import type { AuditEventInput, AuditReceipt } from '../../relay/wire/audit-event.ts'
import type { RecordedMember } from './recorded-member.ts'

const reader = { consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('reader'), role: 'viewer' } as const satisfies RecordedMember
const holder = { practiceRole: 'pathologist', facilityId: FacilityId.parse('university'), practitionerId: PractitionerId.parse('p-1'), nodeId: null, isEmergency: false } as const
const granted = { ...reader, grantId: GrantId.parse(crypto.randomUUID()), holder }
const sessionId = SessionId.parse(crypto.randomUUID())
const slideId = SlideId.parse(crypto.randomUUID())

/** An audit over a log whose disk may be full. */
function openAudit() {
  const [events, emergencies]: [AuditEvent[], AuditEvent[]] = [[], []]
  const world = { isFull: false }
  const receipt = { sequence: 0, leaf: Sha256.parse('0'.repeat(64)) }
  const audit = new NodeAudit({
    record: async (event: AuditEventInput): Promise<AuditReceipt> => {
      if (world.isFull) throw new RelayFault('not_recorded', 'the disk is full')
      events.push(AuditEvent.parse(event))
      return Promise.resolve(receipt)
    },
    recordEmergency: async event => Promise.resolve(void emergencies.push(AuditEvent.parse(event))).then(() => undefined),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }, createLogger({ level: 'silent', program: 'node' }))
  return { audit, events, emergencies, world }
}

t.test('an event says who is behind a seat, and by which grant', async t => {
  const { audit, events } = openAudit()
  await using _audit = audit
  await audit.joining(granted)
  await audit.joining(reader)
  t.match(events, [{ grantId: granted.grantId, actor: { memberId: 'reader', seat: 'viewer', practitionerId: 'p-1', facilityId: 'university', role: 'pathologist' } }, { actor: { memberId: 'reader', seat: 'viewer' } }])
  t.notOk('grantId' in (events[1] ?? {}))
})

t.test('what cannot be recorded is refused, and tried again when it is asked again; only a stage is stopped in any case', async t => {
  const { audit, events, world } = openAudit()
  await using _audit = audit
  world.isFull = true
  const attempts = [
    () => audit.joining(reader), () => audit.asking(reader, sessionId, { type: 'claimStage' }), () => audit.slideOpening(reader, slideId), () => audit.tileAsked(reader, slideId),
    () => audit.doingOften(reader, 'export_slide', { slideId }), () => audit.doing(reader, 'view_still'),
  ]
  for (const attempt of attempts) await t.rejects(attempt(), { code: 'not_recorded' })
  await audit.asking(reader, sessionId, { type: 'stopStage' })
  world.isFull = false
  for (const attempt of attempts) await attempt()
  // The tile came after the opening.
  t.equal(events.length, attempts.length - 1)
})

t.test('an emergency goes on while nothing can be recorded', async t => {
  const { audit, emergencies, world } = openAudit()
  await using _audit = audit
  world.isFull = true
  await audit.doing({ ...granted, holder: { ...holder, isEmergency: true } }, 'view_live')
  t.match(emergencies, [{ access: 'view_live' }])
})

t.test('what comes often is recorded once a minute for each member and slide; a slide that is opened again, again', async t => {
  const { audit, events } = openAudit()
  await using _audit = audit
  const other = SlideId.parse(crypto.randomUUID())
  await Promise.all([audit.slideOpening(reader, slideId), audit.slideOpening(granted, slideId), audit.slideOpening(reader, other)])
  for (let tile = 0; tile < 100; tile++) await audit.tileAsked(reader, slideId)
  t.equal(events.length, 3)
  await audit.slideOpening(reader, slideId)
  t.equal(events.length, 4)
})
