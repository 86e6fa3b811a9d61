import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { t } from 'tap'
import { readCertificate } from '../../relay/access/pki/certificate.ts'
import { dersIn, MEMBER_FILES, requestInto } from '../../relay/access/pki/enrolment-folder.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { NodeId } from '../../relay/wire/access.ts'
import { PlatformUnderTest, UNIVERSITY } from '../../test/harness/platform-under-test.ts'
import { CertificateUpkeep } from './certificate-upkeep.ts'

const DAY = 86_400_000
const log = createLogger({ level: 'silent', program: 'node' })

t.test('a certificate in its last days is renewed where it lies, and keeps its name', async t => {
  const platform = await PlatformUnderTest.open()
  t.teardown(() => platform[Symbol.asyncDispose]())
  const folder = join(t.testdir(), 'join')
  const nodeId = NodeId.parse('university-node')
  await requestInto(folder, { facilityId: UNIVERSITY, nodeId, kind: 'node', hostNames: ['localhost'] })
  const { requestPem } = JSON.parse(await readFile(join(folder, MEMBER_FILES.request), 'utf8')) as { requestPem: string }
  const nodeCertFile = join(folder, MEMBER_FILES.certificate)
  const { chainPem } = await platform.core.ca.issue(requestPem, { facilityId: UNIVERSITY, nodeId, kind: 'node', dnsNames: ['localhost'], lifetimeMillis: 29 * DAY }, Date.now())
  await Promise.all([writeFile(nodeCertFile, chainPem), writeFile(join(folder, MEMBER_FILES.trust), platform.core.ca.trustPem)])
  using _upkeep = new CertificateUpkeep({ nodeCertFile, coreUrl: platform.url, lookMillis: 50, log })
  const deadline = performance.now() + 20_000
  while ((await readFile(nodeCertFile, 'utf8')) === chainPem) {
    if (performance.now() > deadline) throw new Error('not renewed')
    await sleep(20)
  }
  const [der = Buffer.of()] = dersIn(await readFile(nodeCertFile, 'utf8'))
  const { member, notAfterMillis, dnsNames } = readCertificate(der)
  t.match(member, { facilityId: UNIVERSITY, nodeId })
  t.same(dnsNames, ['localhost'])
  t.ok(notAfterMillis - Date.now() > 80 * DAY)
  t.equal(platform.core.ca.issued.filter(entry => entry.nodeId === nodeId).length, 2, 'once')
})
