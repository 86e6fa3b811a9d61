import { t } from 'tap'
import { ConsentId, FacilityId, NodeId, PractitionerId } from '../../wire/access.ts'
import { RelayFault } from '../../wire/fault.ts'
import { ConsultationId, MemberId } from '../../wire/ids.ts'
import { concerns, GrantRegistry } from './grant-registry.ts'
import type { GrantSubject } from './grant-registry.ts'

const subject: GrantSubject = {
  consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('doctor'), role: 'viewer', practiceRole: 'pathologist',
  facilityId: FacilityId.parse('university'), practitionerId: PractitionerId.parse('p-1'), nodeId: null, purpose: 'consultation', isEmergency: false, bound: { jkt: 'a'.repeat(43) },
}
const consentId = ConsentId.parse(crypto.randomUUID())
const scope = (validUntilMillis = Date.now() + 60_000) => ({ actions: new Set(['view_live'] as const), consentIds: new Set([consentId]), validUntilMillis })
const withdrawn = new RelayFault('consent_withdrawn', 'the patient withdrew')

t.test('a grant that ends tells why, within the call that ends it, and is forgotten', async t => {
  const grants = new GrantRegistry()
  const grant = grants.mint(subject, scope())
  const admission = grant.admit()
  t.same(grants.end(concerns.consent(consentId), withdrawn), [grant.id])
  t.equal(admission.expired.reason, withdrawn)
  t.equal(admission.allows('view_live'), false)
  t.throws(() => admission.require('view_live'), { code: 'consent_withdrawn' })
  t.equal(grants.size, 0)
  t.throws(() => grants.require(grant.id), { code: 'token_refused' })
  t.throws(() => grants.renew(grant.id, scope()), { code: 'token_refused' })
  t.same(grants.end(concerns.everything, withdrawn), [])
})

t.test('what ends concerns its own grants only', async t => {
  const grants = new GrantRegistry()
  const others = [
    { ...subject, consultationId: ConsultationId.parse('case-2'), facilityId: FacilityId.parse('clinic'), practitionerId: PractitionerId.parse('p-2'), bound: { jkt: 'b'.repeat(43) } },
    { ...subject, consultationId: ConsultationId.parse('case-3'), facilityId: FacilityId.parse('lab'), practitionerId: null, nodeId: NodeId.parse('scope'), bound: { 'x5t#S256': 'c'.repeat(43) } },
  ]
  const ending = [
    concerns.consultation(subject.consultationId), concerns.facility(subject.facilityId), concerns.practitioner(PractitionerId.parse('p-1')), concerns.holder(subject.bound),
  ]
  const kept = others.map(other => grants.mint(other, { ...scope(), consentIds: new Set() }))
  for (const isConcerned of ending) {
    const grant = grants.mint(subject, scope())
    t.same(grants.end(isConcerned, withdrawn), [grant.id])
  }
  t.same(grants.end(concerns.node(NodeId.parse('scope')), withdrawn), [kept[1]?.id])
  t.same(grants.end(concerns.everything, withdrawn), [kept[0]?.id])
})

t.test('it runs out at its time, unless it is renewed', async t => {
  const grants = new GrantRegistry()
  const grant = grants.mint(subject, scope())
  const admission = grant.admit()
  const later = Date.now() + 120_000
  grants.renew(grant.id, { ...scope(later), actions: new Set(['view_live', 'speak'] as const) })
  t.equal(admission.validUntilMillis, later)
  t.ok(admission.allows('speak'))
  const over = grants.mint(subject, scope(Date.now() - 1))
  t.match(over.ended.reason, { code: 'invitation_expired' })
  t.equal(grants.size, 1)
  const ending = grants.mint(subject, scope(Date.now() + 50))
  // The grant's timer holds no process open; this one does.
  const keepAlive = setInterval(() => undefined, 1000)
  if (!ending.ended.aborted) await new Promise(resolve => ending.ended.addEventListener('abort', resolve, { once: true }))
  clearInterval(keepAlive)
  t.match(ending.ended.reason, { code: 'invitation_expired' })
})

t.test('a node has no more grants than it may', async t => {
  const grants = new GrantRegistry(1)
  grants.mint(subject, scope())
  t.throws(() => grants.mint(subject, scope()), { code: 'overloaded' })
  grants.end(concerns.everything, withdrawn)
  t.ok(grants.mint(subject, scope()))
})
