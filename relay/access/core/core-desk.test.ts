import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { t } from 'tap'
import { ConsentId, FacilityId, NodeId } from '../../wire/access.ts'
import { ConsultationId } from '../../wire/ids.ts'
import { RegistryLedger } from '../registry/registry-ledger.ts'
import { SnapshotSigner } from '../registry/snapshot.ts'
import { CoreDesk } from './core-desk.ts'
import { CoreStore } from './core-store.ts'
import type { Test } from 'tap'
import type { CoreMessage } from './core-stream.ts'

const [HOSPITAL, UNIVERSITY] = [FacilityId.parse('hospital'), FacilityId.parse('university')]
const CONSENT = {
  consentId: ConsentId.parse('6f9619ff-8b86-4011-b42d-00cf4fc964ff'),
  consultationId: ConsultationId.parse('case-1'),
  purposes: ['consultation' as const],
  scopes: ['live' as const],
  recipients: [UNIVERSITY],
  validFromMillis: 0,
  validUntilMillis: 9000,
  withdrawnAtMillis: null,
}
const CASE = { consultationId: CONSENT.consultationId, hostFacilityId: HOSPITAL, participants: [UNIVERSITY], purpose: 'consultation' as const, validUntilMillis: 9000 }

async function open(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'kenkyo-core-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const now = (): number => 5000
  const registry = await RegistryLedger.open({ folder, signer: await SnapshotSigner.open(await exportJWK(privateKey)), lifetimeMillis: 3600_000, now })
  const facility = (id: FacilityId) => ({ id, displayName: id, status: 'active' as const })
  await registry.edit(draft => ({ ...draft, facilities: [facility(HOSPITAL), facility(UNIVERSITY)] }))
  const store = new CoreStore(folder)
  t.teardown(() => store[Symbol.dispose]())
  const desk = new CoreDesk({ registry, store, now })
  t.teardown(() => desk[Symbol.dispose]())
  return { folder, desk, store }
}

function listen(desk: CoreDesk, capacity = Infinity) {
  const heard: CoreMessage[] = []
  const closed: string[] = []
  const leave = desk.attend({ nodeId: NodeId.parse('node-1'), tell: message => heard.push(message) < capacity, close: ({ code }) => closed.push(code) })
  return { heard, closed, leave, types: () => heard.map(({ type }) => type).filter(type => type !== 'heartbeat') }
}

t.test('whoever comes hears everything, and then what changes', async t => {
  const { desk } = await open(t)
  desk.putConsultation(CASE)
  desk.addConsent(CONSENT, Buffer.from('signed'))
  const { heard, types, leave } = listen(desk)
  t.same(types(), ['hello', 'registry', 'consent', 'consultation', 'complete'])
  desk.withdrawConsent(CONSENT.consentId)
  t.match(heard.at(-1), { type: 'consent', statement: { withdrawnAtMillis: 5000 } })
  await desk.registry.renew()
  t.match(heard.at(-1), { type: 'registry', snapshot: desk.registry.snapshot })
  leave()
  await desk.registry.renew()
  t.same(types(), ['hello', 'registry', 'consent', 'consultation', 'complete', 'consent', 'registry'])
})

t.test('a withdrawal stays, once and for all', async t => {
  const { desk, folder } = await open(t)
  desk.addConsent(CONSENT, Buffer.from('signed'))
  t.throws(() => desk.addConsent(CONSENT, Buffer.from('signed')), { code: 'conflict' })
  desk.withdrawConsent(CONSENT.consentId)
  t.match(desk.withdrawConsent(CONSENT.consentId), { withdrawnAtMillis: 5000 }, 'a second time changes nothing')
  using again = new CoreStore(folder)
  t.match(again.consents(), [{ withdrawnAtMillis: 5000 }])
  t.throws(() => desk.withdrawConsent(ConsentId.parse('00000000-0000-4000-8000-000000000000')), { code: 'not_found' })
})

t.test('a consultation with a facility that nobody knows is refused', async t => {
  const { desk, store } = await open(t)
  t.throws(() => desk.putConsultation({ ...CASE, participants: [FacilityId.parse('nowhere')] }), { code: 'registry_refused' })
  t.same(store.consultations(), [])
})

t.test('a node that does not keep up is let go, and no other hears of it', async t => {
  const { desk } = await open(t)
  const [slow, other] = [listen(desk, 4), listen(desk)]
  desk.putConsultation(CASE)
  t.same(slow.closed, ['overloaded'])
  t.equal(desk.listeners, 1)
  t.same(other.types().at(-1), 'consultation')
})
