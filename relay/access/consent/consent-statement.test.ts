import { t } from 'tap'
import { ConsentId, FacilityId } from '../../wire/access.ts'
import { ConsultationId } from '../../wire/ids.ts'
import { consentState } from './consent-statement.ts'
import type { ConsentQuery, ConsentStatement } from './consent-statement.ts'

const facilityId = FacilityId.parse('university')
const consultationId = ConsultationId.parse('case-1')
const query: ConsentQuery = { consultationId, purpose: 'consultation', action: 'view_live', facilityId, nowMillis: 1000 }
const statement = (change: Partial<ConsentStatement> = {}): ConsentStatement => ({
  consentId: ConsentId.parse(crypto.randomUUID()), consultationId, purposes: ['consultation'], scopes: ['live'], recipients: [facilityId], validFromMillis: 0, validUntilMillis: 2000, withdrawnAtMillis: null, ...change,
})

t.test('a consent that was withdrawn counts as that, whatever it was for', async t => {
  const withdrawn = statement({ withdrawnAtMillis: 500 })
  t.equal(consentState([withdrawn], query).state, 'withdrawn')
  t.equal(consentState([withdrawn], { ...query, action: 'view_slide' }).state, 'withdrawn', 'another scope')
  t.equal(consentState([withdrawn], { ...query, purpose: 'teaching' }).state, 'withdrawn', 'another purpose')
  t.equal(consentState([withdrawn], { ...query, nowMillis: 3000 }).state, 'withdrawn', 'after its time')
  t.equal(consentState([withdrawn], { ...query, facilityId: FacilityId.parse('clinic') }).state, 'withdrawn', 'for somebody else')
  t.equal(consentState([statement({ withdrawnAtMillis: 500, validFromMillis: 1500 })], query).state, 'withdrawn', 'before its time')
  t.equal(consentState([withdrawn, statement({ scopes: ['slide'] })], query).state, 'withdrawn', 'beside one for something else')
})

t.test('one that was given beside a withdrawn one counts, for what it says', async t => {
  const given = statement()
  t.match(consentState([statement({ withdrawnAtMillis: 500 }), given], query), { state: 'valid', consentId: given.consentId, validUntilMillis: 2000 })
  t.equal(consentState([statement({ withdrawnAtMillis: 500, recipients: [FacilityId.parse('clinic')] }), given], query).state, 'valid', 'one for somebody else')
})

t.test('what nobody withdrew is for another purpose, has expired, or is none', async t => {
  t.equal(consentState([statement()], { ...query, action: 'view_slide' }).state, 'other_purpose')
  t.equal(consentState([statement()], { ...query, nowMillis: 2000 }).state, 'expired')
  t.equal(consentState([statement()], { ...query, facilityId: FacilityId.parse('clinic') }).state, 'none')
  t.equal(consentState([], query).state, 'none')
})
