import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompactSign, exportJWK, generateKeyPair } from 'jose'
import { t } from 'tap'
import { FacilityId, NodeId, PractitionerId, ServiceId } from '../../wire/access.ts'
import { Sha256 } from '../../wire/ids.ts'
import { LinkName } from '../../wire/link.ts'
import { RegistryCache } from './registry-cache.ts'
import { RegistryLedger } from './registry-ledger.ts'
import { SnapshotSigner, SnapshotVerifier } from './snapshot.ts'
import type { Test } from 'tap'
import type { RegistryDraft } from './registry-ledger.ts'

const [HOSPITAL, UNIVERSITY] = [FacilityId.parse('hospital-1'), FacilityId.parse('university')]
const DRAFT: RegistryDraft = {
  facilities: [
    { id: HOSPITAL, displayName: '第一病院', status: 'active' },
    { id: UNIVERSITY, displayName: 'University', status: 'active' },
  ],
  nodes: [{ id: NodeId.parse('hospital-1-microscope'), facilityId: HOSPITAL, kind: 'agent', status: 'active' }],
  links: [{ name: LinkName.parse('hospital-1-line'), class: 'best-effort', between: [HOSPITAL, UNIVERSITY], bitsPerSecond: 100_000_000, status: 'active' }],
  services: [{ id: ServiceId.parse('archive'), facilityId: UNIVERSITY, kind: 'dicomweb', origin: 'https://pacs.university.example', requestsPerSecond: 20, status: 'active' }],
  practitioners: [{ id: PractitionerId.parse('dr-a'), facilityId: UNIVERSITY, role: 'pathologist', displayName: 'A', status: 'active', certificates: [Sha256.parse('ef'.repeat(32))] }],
  revokedCertificates: [Sha256.parse('ab'.repeat(32))],
}
const LIFETIME = 3600_000
const REFUSED = { name: 'RelayFault', code: 'registry_refused' }

async function open(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'kenkyo-registry-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const jwk = await exportJWK(privateKey)
  const time = { now: 1_000_000 }
  const now = (): number => time.now
  const [signer, verifier] = [await SnapshotSigner.open(jwk), await SnapshotVerifier.open(jwk)]
  const ledger = await RegistryLedger.open({ folder, signer, lifetimeMillis: LIFETIME, now })
  await ledger.edit(() => DRAFT)
  const cache = await RegistryCache.open(folder, verifier, now)
  return { folder, time, now, jwk, privateKey, signer, verifier, ledger, cache }
}

t.test('a node knows who belongs to the platform once it has a signed version', async t => {
  const { cache, ledger } = await open(t)
  t.equal(cache.standing, 'missing')
  t.equal(cache.facility(HOSPITAL), undefined)
  let heard = 0
  cache.changed(() => heard++)
  t.equal(await cache.take(ledger.snapshot), true)
  t.equal(await cache.take(ledger.snapshot), false, 'the same again')
  t.equal(heard, 1)
  t.equal(cache.standing, 'valid')
  t.match(cache.practitioner(PractitionerId.parse('dr-a')), { role: 'pathologist' })
  t.match(cache.practitionerWith('ef'.repeat(32)), { id: 'dr-a' })
  t.equal(cache.practitionerWith('ab'.repeat(32)), undefined)
  t.match(cache.link(LinkName.parse('hospital-1-line')), { bitsPerSecond: 100_000_000 })
  t.ok(cache.isRevoked('ab'.repeat(32)))
  t.notOk(cache.isRevoked('cd'.repeat(32)))
})

t.test('what is suspended, or of a suspended facility, is unknown; a service in quarantine says so', async t => {
  const { cache, ledger } = await open(t)
  await ledger.edit(draft => ({
    ...draft,
    facilities: draft.facilities.map(each => ({ ...each, status: each.id === HOSPITAL ? 'suspended' : 'active' })),
    services: draft.services.map(each => ({ ...each, status: 'quarantined' })),
  }))
  await cache.take(ledger.snapshot)
  t.equal(cache.facility(HOSPITAL), undefined)
  t.equal(cache.node(NodeId.parse('hospital-1-microscope')), undefined)
  t.equal(cache.link(LinkName.parse('hospital-1-line')), undefined)
  t.same(cache.links(), [])
  t.match(cache.service(ServiceId.parse('archive')), { status: 'quarantined' })
})

t.test('an expired version holds for nothing, says so beforehand, and what it revoked stays revoked', async t => {
  const { cache, ledger, time } = await open(t)
  await cache.take(ledger.snapshot)
  time.now += LIFETIME * 0.8
  t.equal(cache.standing, 'expiring')
  t.ok(cache.facility(HOSPITAL))
  time.now += LIFETIME * 0.2
  t.equal(cache.standing, 'expired')
  t.equal(cache.facility(HOSPITAL), undefined)
  t.equal(cache.practitioner(PractitionerId.parse('dr-a')), undefined)
  t.ok(cache.isRevoked('ab'.repeat(32)))
  await ledger.renew()
  await cache.take(ledger.snapshot)
  t.equal(cache.standing, 'valid')
})

t.test('an older version is refused, also after a restart, and so is a second one of the same number', async t => {
  const { cache, ledger, folder, verifier, signer, now } = await open(t)
  const old = ledger.snapshot
  await ledger.renew()
  await cache.take(ledger.snapshot)
  await t.rejects(cache.take(old), REFUSED)
  const restarted = await RegistryCache.open(folder, verifier, now)
  t.equal(restarted.version, ledger.contents.version)
  await t.rejects(restarted.take(old), REFUSED)
  const twin = await signer.sign({ ...ledger.contents, facilities: [], nodes: [], links: [], services: [], practitioners: [] })
  await t.rejects(restarted.take(twin), REFUSED)
})

t.test('what is not signed by the platform, expired, or no registry is refused', async t => {
  const { cache, ledger, time, privateKey, signer } = await open(t)
  const { privateKey: other } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  const payload = Buffer.from(JSON.stringify(ledger.contents))
  const signed = (key: typeof other, header: Record<string, string>, bytes = payload): Promise<string> => new CompactSign(bytes).setProtectedHeader({ alg: 'EdDSA', ...header }).sign(key)
  await t.rejects(cache.take(await signed(other, { typ: 'kenkyo-registry+jws' })), REFUSED, 'by somebody else')
  await t.rejects(cache.take(await signed(privateKey, { typ: 'JWT' })), REFUSED, 'for something else')
  await t.rejects(cache.take(await signed(privateKey, { typ: 'kenkyo-registry+jws' }, Buffer.from('{"version":1}'))), REFUSED, 'no registry')
  await t.rejects(cache.take(''), REFUSED)
  const altered = ledger.snapshot.split('.').map((part, index) => (index === 1 ? `${part.slice(0, -2)}AA` : part)).join('.')
  await t.rejects(cache.take(altered), REFUSED, 'altered')
  const expired = await signer.sign({ ...ledger.contents, issuedAtMillis: 0, expiresAtMillis: time.now })
  await t.rejects(cache.take(expired), REFUSED, 'expired')
  t.equal(cache.standing, 'missing')
})

t.test('two machines of one name, two people with one card, and a machine of no facility, are refused, and nothing changes', async t => {
  const { ledger } = await open(t)
  const { version } = ledger.contents
  const node = { id: NodeId.parse('hospital-1-microscope'), facilityId: UNIVERSITY, kind: 'node', status: 'active' } as const
  await t.rejects(ledger.edit(draft => ({ ...draft, nodes: [...draft.nodes, node] })), { ...REFUSED, message: /two entries of kind node are called hospital-1-microscope/ })
  const twin = { ...DRAFT.practitioners[0]!, id: PractitionerId.parse('dr-b') }
  await t.rejects(ledger.edit(draft => ({ ...draft, practitioners: [...draft.practitioners, twin] })), { ...REFUSED, message: /the certificate (ef){32} is named twice/ })
  await t.rejects(ledger.edit(draft => ({ ...draft, facilities: [] })), REFUSED)
  await t.rejects(ledger.edit(draft => ({ ...draft, links: draft.links.map(each => ({ ...each, between: [HOSPITAL, HOSPITAL] })) })), REFUSED)
  t.equal(ledger.contents.version, version)
})

t.test('the ledger goes on where it was, and refuses a file that it did not write', async t => {
  const { ledger, folder, signer, now } = await open(t)
  const again = await RegistryLedger.open({ folder, signer, lifetimeMillis: LIFETIME, now })
  t.ok(again.contents.version > ledger.contents.version)
  t.same(again.contents.facilities, DRAFT.facilities)
  await writeFile(join(folder, 'registry.json'), (await readFile(join(folder, 'registry.json'), 'utf8')).slice(1))
  await t.rejects(RegistryLedger.open({ folder, signer, lifetimeMillis: LIFETIME, now }), { code: 'bad_config' })
})

t.test('a cache that somebody altered is refused at the start', async t => {
  const { cache, ledger, folder, verifier } = await open(t)
  await cache.take(ledger.snapshot)
  await writeFile(join(folder, 'registry.jws'), 'x.y.z')
  await t.rejects(RegistryCache.open(folder, verifier), REFUSED)
})
