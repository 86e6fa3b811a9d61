import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { dersIn, LooseCa, openTestCa } from '../../../test/harness/test-ca.ts'
import { CertificateChecker } from './certificate-checker.ts'
import { createRequest, readRequest } from './certificate-request.ts'
import { readCertificate } from './certificate.ts'
import { requireGood } from './ocsp-status.ts'
import { PlatformCa } from './platform-ca.ts'

const checker = new CertificateChecker()
const crlsOf = (folder: string): Promise<string> => readFile(join(folder, 'crl.pem'), 'utf8')

t.test('decides name and usage by the approval, whatever the request says', async t => {
  await using test = await openTestCa()
  const { cert } = await test.issue('node-1', { kind: 'node', dnsNames: ['node.hospital.example'] })
  const terms = { purpose: 'serverAuth', hostName: 'NODE.hospital.example', nowMillis: Date.now() } as const
  const reading = await checker.check(dersIn(cert), { anchorsPem: test.ca.rootPem, crlsPem: await crlsOf(test.folder) }, terms)
  t.same(reading.member, { facilityId: 'hospital', nodeId: 'node-1' })
  const agent = await test.issue('scanner')
  await t.rejects(checker.check(dersIn(agent.cert), { anchorsPem: test.ca.rootPem }, { purpose: 'serverAuth', nowMillis: Date.now() }), { code: 'certificate_refused', reason: 'wrong_usage' })
})

t.test('refuses a certificate once it is revoked, by list and by OCSP', async t => {
  await using test = await openTestCa()
  const { cert } = await test.issue('scanner')
  const chain = dersIn(cert)
  const [certificatePem = ''] = cert.split(/(?<=-----END CERTIFICATE-----\n)/)
  await writeFile(join(test.folder, 'leaf.pem'), certificatePem)
  execFileSync('openssl', ['ocsp', '-issuer', 'issuing.pem', '-cert', 'leaf.pem', '-reqout', 'request.der'], { cwd: test.folder })
  const request = await readFile(join(test.folder, 'request.der'))
  const ask = async () => requireGood({ certificatePem, issuerPem: test.ca.issuingPem, anchorsPem: test.ca.rootPem, response: await test.ca.ocsp(request, Date.now()) })
  const check = async () => checker.check(chain, { anchorsPem: test.ca.rootPem, crlsPem: await crlsOf(test.folder) }, { purpose: 'clientAuth', nowMillis: Date.now() })
  await ask()
  await check()
  const revoked = await test.ca.revoke(({ nodeId }) => nodeId === 'scanner', Date.now())
  t.same(revoked.map(({ thumbprint }) => thumbprint), [readCertificate(chain[0] ?? Buffer.alloc(0)).thumbprint])
  await t.rejects(ask(), { code: 'certificate_refused', reason: 'revoked' })
  await t.rejects(check(), { code: 'certificate_refused', reason: 'revoked' })
  await using stranger = await openTestCa()
  const forged = stranger.ca.ocsp(request, Date.now())
  await t.rejects(requireGood({ certificatePem, issuerPem: test.ca.issuingPem, anchorsPem: test.ca.rootPem, response: await forged }), { code: 'certificate_refused', reason: 'no_revocation_list' })
})

t.test('knows what it issued and revoked after a restart, and goes on with the same keys', async t => {
  await using test = await openTestCa()
  await test.issue('scanner')
  await test.ca.revoke(() => true, Date.now())
  const again = await PlatformCa.open(test.folder, 'another name', Date.now())
  t.equal(again.rootPem, test.ca.rootPem)
  t.same(again.issued, test.ca.issued)
})

t.test('answers an OCSP request that cannot be read with the answer that says so', async t => {
  await using test = await openTestCa()
  t.equal((await test.ca.ocsp(Buffer.from('nonsense'), Date.now())).toString('hex'), '30030a0101', 'malformedRequest')
})

t.test('issues only for a key that signed its request', async t => {
  const { requestPem } = await createRequest('a')
  const der = Buffer.from(requestPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  t.match(await readRequest(der), { keyThumbprint: /^[0-9a-f]{64}$/ })
  const last = der.length - 1
  der.writeUInt8(der.readUInt8(last) ^ 1, last)
  await t.rejects(readRequest(der), { code: 'certificate_refused', reason: 'bad_signature' })
  await t.rejects(readRequest('-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n'), { code: 'certificate_refused', reason: 'unreadable' })
})

t.test('refuses a path of too many CAs, and one that a CA may not continue', async t => {
  const root = await LooseCa.create('Root', 1)
  let below = root
  for (const level of ['1', '2', '3', '4', '5']) below = await below.below(level)
  const terms = { purpose: 'clientAuth', nowMillis: Date.now() } as const
  await t.rejects(checker.check(dersIn((await below.member()).cert), { anchorsPem: root.rootPem }, terms), { code: 'certificate_refused', reason: 'chain_too_long' })
  const second = await (await root.below('1')).below('2')
  await t.rejects(checker.check(dersIn((await second.member()).cert), { anchorsPem: root.rootPem }, terms), { code: 'certificate_refused', reason: 'chain_too_long' })
})
