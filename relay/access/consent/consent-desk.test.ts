import { randomBytes, randomInt } from 'node:crypto'
import { t } from 'tap'
import { ConsentId, FacilityId } from '../../wire/access.ts'
import { RelayFault } from '../../wire/fault.ts'
import { ConsultationId } from '../../wire/ids.ts'
import { ConsentDesk } from './consent-desk.ts'
import { ConsentSignatures, holderOf } from './consent-signature.ts'
import { canonicalConsent, readConsent, writeConsent } from './fhir-consent.ts'
import { pairPseudonym } from './pseudonym.ts'
import { TestCardAuthority } from './test-card.ts'
import type { ConsentStatement } from './consent-statement.ts'
import type { ConsentTerms } from './fhir-consent.ts'
import type { TestCard } from './test-card.ts'

const [HOSPITAL, UNIVERSITY, CLINIC] = [FacilityId.parse('hospital'), FacilityId.parse('university'), FacilityId.parse('clinic')]
const CASE = ConsultationId.parse('case-1')
const REFUSED = { name: 'RelayFault', code: 'consent_refused' }
const NOW = Math.floor(Date.now() / 1000) * 1000
const DAY = 86_400_000
const REGION_KEY = randomBytes(32)

const authority = await TestCardAuthority.open()
const [card, otherCard] = [await authority.issue('試験 花子'), await authority.issue('試験 太郎')]

function open() {
  const kept = new Map<ConsentId, { statement: ConsentStatement; signed: Uint8Array }>()
  const desk = new ConsentDesk(
    new ConsentSignatures([authority.certificate], () => new Date(NOW)),
    {
      consent: id => kept.get(id)?.statement,
      signed: id => kept.get(id)?.signed,
      consultation: consultationId => (consultationId === CASE ? { consultationId, hostFacilityId: HOSPITAL, participants: [UNIVERSITY], purpose: 'consultation', validUntilMillis: NOW + DAY } : undefined),
      add: (statement, signed) => {
        if (kept.has(statement.consentId)) throw new RelayFault('conflict', 'known')
        kept.set(statement.consentId, { statement, signed })
      },
      withdraw: id => {
        const { statement, signed } = kept.get(id)!
        const withdrawn = { ...statement, withdrawnAtMillis: NOW }
        kept.set(id, { statement: withdrawn, signed })
        return withdrawn
      },
    },
    REGION_KEY,
  )
  const terms = (change: Partial<ConsentTerms> = {}, by: TestCard = card): ConsentTerms => ({
    consentId: ConsentId.parse('6f9619ff-8b86-4011-b42d-00cf4fc964ff'),
    consultationId: CASE,
    patient: desk.patientAt(holderOf(by.certificate), HOSPITAL),
    hostFacilityId: HOSPITAL,
    recipients: [HOSPITAL, UNIVERSITY],
    purposes: ['consultation', 'intraoperative_diagnosis'],
    scopes: ['live', 'slide'],
    signedAtMillis: NOW,
    validFromMillis: NOW,
    validUntilMillis: NOW + DAY,
    ...change,
  })
  return { desk, kept, terms }
}

async function bring(terms: ConsentTerms, by: TestCard = card, status: 'active' | 'inactive' = 'active') {
  const json = writeConsent(terms, status)
  return { consent: JSON.stringify(json, null, 2), signature: await by.sign(canonicalConsent(json), NOW) }
}

t.test('a consent that the patient signed becomes a statement that names no patient', async t => {
  const { desk, terms } = open()
  const statement = await desk.take(await bring(terms()), HOSPITAL)
  t.same(statement, {
    consentId: terms().consentId, consultationId: CASE, purposes: ['consultation', 'intraoperative_diagnosis'], scopes: ['live', 'slide'],
    recipients: [HOSPITAL, UNIVERSITY], validFromMillis: NOW, validUntilMillis: NOW + DAY, withdrawnAtMillis: null,
  })
  await t.rejects(desk.take(await bring(terms()), HOSPITAL), { code: 'conflict' })
})

t.test('how the JSON is written does not matter, what it says does: one altered byte is refused', async t => {
  const { desk, terms } = open()
  const { consent, signature } = await bring(terms())
  t.same((await desk.take({ consent: JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(consent) as object).reverse())), signature }, HOSPITAL)).consultationId, CASE)
  const altered = consent.replace('"slide"', '"recording"')
  t.not(altered, consent)
  await t.rejects(open().desk.take({ consent: altered, signature }, HOSPITAL), REFUSED)
  const text = Buffer.from(JSON.stringify(JSON.parse(consent)))
  for (let at = 0; at < text.length; at++) {
    const bytes = Buffer.from(text)
    bytes[at] = bytes[at]! ^ 1
    await t.rejects(open().desk.take({ consent: bytes.toString('utf8'), signature }, HOSPITAL), REFUSED, `byte ${at}`)
  }
})

t.test('an altered signature is refused; in bytes that it does not cover, nothing that counts changes', async t => {
  const { desk, terms } = open()
  const { consent, signature } = await bring(terms())
  const expected = await desk.take({ consent, signature }, HOSPITAL)
  let refused = 0
  for (let at = 0; at < signature.length; at += 3) {
    const bytes = Buffer.from(signature)
    bytes[at] = bytes[at]! ^ (1 << randomInt(8))
    await open().desk.take({ consent, signature: bytes }, HOSPITAL).then(
      statement => t.same(statement, expected),
      (error: unknown) => {
        t.match(error, REFUSED)
        refused++
      },
    )
  }
  // The list of digests beside the signer's own, and some of the certificate's framing, no signature covers.
  t.ok(refused > (signature.length / 3) * 0.9, `${refused} of ${Math.ceil(signature.length / 3)} refused`)
})

t.test('another card, another authority, an expired card, and a signature that is none are refused', async t => {
  const { desk, terms } = open()
  await t.rejects(desk.take(await bring(terms(), otherCard), HOSPITAL), { ...REFUSED, message: /not the one of this patient/ })
  const foreign = await (await TestCardAuthority.open()).issue('somebody')
  await t.rejects(desk.take(await bring(terms({}, foreign), foreign), HOSPITAL), REFUSED)
  const expired = await authority.issue('old', { validFromMillis: NOW - 2 * DAY, validUntilMillis: NOW - DAY })
  await t.rejects(desk.take(await bring(terms({}, expired), expired), HOSPITAL), REFUSED)
  const future = await authority.issue('new', { validFromMillis: NOW + DAY, validUntilMillis: NOW + 2 * DAY })
  await t.rejects(desk.take(await bring(terms({}, future), future), HOSPITAL), REFUSED)
  const { consent } = await bring(terms())
  for (const signature of [new Uint8Array(), Buffer.from('signature'), randomBytes(2000), new Uint8Array(70_000)]) await t.rejects(desk.take({ consent, signature }, HOSPITAL), REFUSED)
  t.same(await desk.take(await bring(terms()), HOSPITAL).then(({ consultationId }) => consultationId), CASE)
})

t.test('a refusal says nothing of who signed', async t => {
  const { desk, terms } = open()
  const foreign = await (await TestCardAuthority.open('他所')).issue('試験 次郎')
  const fault = await desk.take(await bring(terms({}, foreign), foreign), HOSPITAL).then(() => undefined, (error: unknown) => error as RelayFault)
  t.equal(fault?.code, 'consent_refused')
  t.notMatch(`${fault?.message} ${(fault?.cause as Error | undefined)?.message}`, /試験|次郎|他所/)
})

t.test('a consent is taken from the facility where the patient is, for its own case, for a year at most', async t => {
  const { desk, terms } = open()
  await t.rejects(desk.take(await bring(terms()), UNIVERSITY), REFUSED)
  await t.rejects(desk.take(await bring(terms({ consultationId: ConsultationId.parse('case-2') })), HOSPITAL), REFUSED)
  await t.rejects(desk.take(await bring(terms({ validUntilMillis: NOW + 400 * DAY })), HOSPITAL), REFUSED)
  await t.rejects(desk.take(await bring(terms({ validUntilMillis: NOW })), HOSPITAL), REFUSED)
  await t.rejects(desk.take(await bring(terms(), card, 'inactive'), HOSPITAL), REFUSED)
})

t.test('the patient withdraws with the same card, the desk without; nobody else does', async t => {
  const { desk, kept, terms } = open()
  await desk.take(await bring(terms()), HOSPITAL)
  const { consentId } = terms()
  await t.rejects(desk.withdrawAtDesk(consentId, UNIVERSITY), { code: 'policy_refused' })
  await t.rejects(desk.takeWithdrawal(await bring(terms({}, otherCard), otherCard, 'inactive')), REFUSED, 'another patient, in his own name')
  await t.rejects(desk.takeWithdrawal(await bring(terms(), otherCard, 'inactive')), REFUSED, 'another patient, in this one\'s')
  await t.rejects(desk.takeWithdrawal(await bring(terms())), REFUSED, 'a consent is no withdrawal')
  t.equal(kept.get(consentId)?.statement.withdrawnAtMillis, null)
  t.match(await desk.takeWithdrawal(await bring(terms(), card, 'inactive')), { withdrawnAtMillis: NOW })
  const again = open()
  await again.desk.take(await bring(again.terms()), HOSPITAL)
  t.match(await again.desk.withdrawAtDesk(consentId, HOSPITAL), { withdrawnAtMillis: NOW })
  await t.rejects(again.desk.withdrawAtDesk(ConsentId.parse('00000000-0000-4000-8000-000000000000'), HOSPITAL), { code: 'not_found' })
})

t.test('a consent that cannot be recorded is not taken; a withdrawal that cannot be recorded still counts', async t => {
  const { desk, kept, terms } = open()
  const notRecorded = () => Promise.reject(new RelayFault('not_recorded', 'the disk is full'))
  await t.rejects(desk.take(await bring(terms()), HOSPITAL, notRecorded), { code: 'not_recorded' })
  t.equal(kept.size, 0)
  await desk.take(await bring(terms()), HOSPITAL)
  await t.rejects(desk.withdrawAtDesk(terms().consentId, HOSPITAL, notRecorded), { code: 'not_recorded' })
  t.equal(kept.get(terms().consentId)?.statement.withdrawnAtMillis, NOW)
})

t.test('what is no consent is refused: other fields, names, bombs', async t => {
  const { terms } = open()
  const json = writeConsent(terms())
  t.same(readConsent(JSON.stringify(json)).consent.provision.actor.map(({ reference }) => reference.reference), [HOSPITAL, UNIVERSITY])
  const withName = { ...json, text: { status: 'generated', div: '<div>試験 花子</div>' } }
  for (const text of ['', 'null', '[]', '{}', JSON.stringify(withName), JSON.stringify({ ...json, patient: { reference: 'Patient/hanako' } }), JSON.stringify({ ...json, contained: [] }), '['.repeat(60_000), `{"id":"${'x'.repeat(70_000)}"}`]) {
    t.throws(() => readConsent(text), REFUSED)
  }
})

t.test('random damage to a consent or its signature is refused and nothing else', async t => {
  const { desk, terms } = open()
  const good = await bring(terms())
  let unharmed = 0
  for (let round = 0; round < 1500; round++) {
    const [consent, signature] = [Buffer.from(good.consent), Buffer.from(good.signature)]
    const victim = round % 2 === 0 ? consent : signature
    for (let changes = randomInt(1, 6); changes > 0; changes--) victim[randomInt(victim.length)] = randomInt(256)
    const cut = randomInt(10) === 0 ? victim.subarray(0, randomInt(victim.length)) : victim
    const brought = round % 2 === 0 ? { consent: cut.toString('utf8'), signature } : { consent: consent.toString('utf8'), signature: cut }
    const code = await desk.take(brought, HOSPITAL).then(() => 'taken', (error: unknown) => (error instanceof RelayFault ? error.code : String(error)))
    // White space between tokens may change, and a byte may be written over by itself.
    if (code === 'taken' || code === 'conflict') unharmed++
    else if (code !== 'consent_refused') t.fail(code)
  }
  t.ok(unharmed < 300, `${unharmed} of 1,500 were not harmed where it matters`)
})

t.test('the same patient has unlinkable names on two links, and the same one from both ends', async t => {
  const holder = holderOf(card.certificate)
  const name = pairPseudonym(REGION_KEY, holder, HOSPITAL, UNIVERSITY)
  t.equal(pairPseudonym(REGION_KEY, holder, UNIVERSITY, HOSPITAL), name)
  t.not(pairPseudonym(REGION_KEY, holder, HOSPITAL, CLINIC), name)
  t.not(pairPseudonym(randomBytes(32), holder, HOSPITAL, UNIVERSITY), name)
  t.not(pairPseudonym(REGION_KEY, holderOf(otherCard.certificate), HOSPITAL, UNIVERSITY), name)
  t.throws(() => pairPseudonym(new Uint8Array(16), holder, HOSPITAL, UNIVERSITY), RangeError)
})
