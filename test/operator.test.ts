import { once } from 'node:events'
import { copyFile, cp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { t } from 'tap'
import { askCore } from '../relay/access/core/core-request.ts'
import { requestInto } from '../relay/access/pki/enrolment-folder.ts'
import { LogSearch } from '../relay/audit/log-search.ts'
import { operatorCommand } from '../relay/core/operator-command.ts'
import { createLogger } from '../relay/runtime/log.ts'
import { NodeId, PractitionerId, ServiceId } from '../relay/wire/access.ts'
import { AuditSearchAnswer, OperatorOverview } from '../relay/wire/operator.ts'
import { CASE, HOSPITAL, PlatformUnderTest, TWO_FACILITIES, UNIVERSITY } from './harness/platform-under-test.ts'
import type { IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import type { CoreCredentials } from '../relay/access/core/core-client.ts'

const ARCHIVE = ServiceId.parse('archive')
const MEMBERS = {
  ...TWO_FACILITIES,
  services: [{ id: ARCHIVE, facilityId: UNIVERSITY, kind: 'dicomweb' as const, origin: 'https://pacs.university.example', requestsPerSecond: 20, status: 'active' as const }],
}

/** A platform and the certificate of an operator, made by the command. */
async function open(t: Test) {
  const platform = await PlatformUnderTest.open(MEMBERS)
  t.teardown(() => platform[Symbol.asyncDispose]())
  const folder = join(platform.folder, 'ops')
  const place = ['--state-dir', join(platform.folder, 'core'), '--operator-port', String(platform.core.operatorPort)]
  const kenkyo = async (...args: string[]): Promise<string> => {
    const printed: string[] = []
    const { restore } = t.capture(process.stdout, 'write', (text: unknown) => printed.push(String(text)))
    try {
      await operatorCommand().exitOverride().parseAsync([...args, ...place], { from: 'user' })
    } finally {
      restore()
    }
    return printed.join('')
  }
  await kenkyo('add', 'ops-1', '--facility', 'hq', '--facility-name', 'Platform office', '--name', 'Operator One', '--folder', folder)
  const [cert, key, ca] = await Promise.all(['operator.pem', 'operator-key.pem', 'platform-ca.pem'].map(name => readFile(join(folder, name), 'utf8'))) as [string, string, string]
  const operator: CoreCredentials = { cert, key, ca }
  const ask = (method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown, credentials = operator) => askCore(platform.url, credentials, { method, path: `/operator/${path}`, ...(body === undefined ? {} : { body }) })
  const overview = async (): Promise<OperatorOverview> => OperatorOverview.parse(await ask('GET', 'overview'))
  const search = async (wanted: object): Promise<AuditSearchAnswer['logs']> => AuditSearchAnswer.parse(await ask('POST', 'audit/search', wanted)).logs
  return { platform, folder, operator, kenkyo, ask, overview, search }
}

t.test('an operator sees members, consultations and consents, and no patient', async t => {
  const { platform, overview } = await open(t)
  const desk = await platform.credentials('hospital-desk', HOSPITAL, 'agent')
  await platform.openCase(desk)
  await platform.consent(desk, await platform.cards.issue('試験 花子'))
  const seen = await overview()
  t.match(seen, {
    operator: 'ops-1',
    facilities: [{ id: 'hospital' }, { id: 'university' }, { id: 'hq' }],
    nodes: [{ id: 'hospital-desk', certificate: { isRevoked: false } }, { id: 'university-node', certificate: null, isListening: false }],
    consultations: [{ consultationId: CASE, consents: [{ withdrawnAtMillis: null }] }],
    services: [{ id: 'archive', status: 'active' }],
    requests: [], grants: [],
  })
  t.notMatch(JSON.stringify(seen), /花子|patient/i)
})

t.test('nobody but operators is let in, by certificate and policy, and whoever the policy refuses is in the record', async t => {
  const { platform, kenkyo, ask, search } = await open(t)
  const machine = await platform.credentials('university-node', UNIVERSITY)
  await t.rejects(ask('GET', 'overview', undefined, machine), { code: 'registry_refused' }, 'a machine')
  const doctor = await platform.credentials('dr-a', UNIVERSITY, 'agent')
  const { thumbprint } = platform.core.ca.issued.find(({ nodeId }) => nodeId === 'dr-a')!
  const { version: _, issuedAtMillis: __, expiresAtMillis: ___, ...draft } = platform.core.desk.registry.contents
  await platform.setRegistry({ ...draft, practitioners: [...draft.practitioners, { id: PractitionerId.parse('dr-a'), facilityId: UNIVERSITY, role: 'pathologist', displayName: 'A', status: 'active', certificates: [thumbprint] }] })
  for (const path of ['overview', 'registry', 'requests', 'standing']) await t.rejects(ask('GET', path, undefined, doctor), { code: 'policy_refused' }, path)
  await t.rejects(ask('POST', 'machines/university-node/revoke', {}, doctor), { code: 'policy_refused' })
  t.match((await search({ practitionerId: 'dr-a' }))[0]?.findings?.entries[0], { event: { kind: 'access', access: 'administer', outcome: 'policy_refused', actor: { practitionerId: 'dr-a', role: 'pathologist' } } })
  await kenkyo('revoke', 'ops-1')
  await t.rejects(ask('GET', 'overview'), { code: 'unavailable' }, 'a revoked operator is closed out')
  t.match(platform.core.desk.registry.contents.practitioners.find(({ id }) => id === 'ops-1'), { status: 'suspended' })
})

t.test('an operator takes a request, approves it, revokes the machine, and the record says who did', async t => {
  const { platform, ask, overview, search } = await open(t)
  const joining = join(platform.folder, 'joining')
  const key = await requestInto(joining, { facilityId: 'clinic', nodeId: 'clinic-node', kind: 'node', hostNames: ['node.clinic.example'] })
  const request: unknown = JSON.parse(await readFile(join(joining, 'request.json'), 'utf8'))
  t.same(await ask('POST', 'requests', request), { keyThumbprint: key })
  t.match(await overview(), { requests: [{ keyThumbprint: key, nodeId: 'clinic-node', isNewFacility: true }] })
  await t.rejects(ask('POST', `requests/${key}/approve`, {}), { code: 'registry_refused' }, 'a new facility is named')
  await ask('POST', `requests/${key}/approve`, { facilityName: 'Clinic' })
  t.match(await ask('GET', `answers/${key}`), { nodeId: 'clinic-node', chainPem: /BEGIN CERTIFICATE/ })
  t.match((await overview()).nodes.find(({ id }) => id === 'clinic-node'), { status: 'active', certificate: { isRevoked: false } })
  t.same(await ask('POST', 'machines/clinic-node/revoke', {}), { revoked: 1 })
  t.match((await overview()).nodes.find(({ id }) => id === 'clinic-node'), { status: 'suspended', certificate: { isRevoked: true } })
  const [own] = await search({ practitionerId: 'ops-1', kind: 'ceremony' })
  t.same(own?.findings?.entries.map(({ event }) => event.kind === 'ceremony' && event.step), ['left', 'issued', 'approved'])
  await t.rejects(ask('POST', 'requests', { ...(request as object), requestPem: 'nothing' }), { code: 'certificate_refused' })
})

t.test('audit is searched by time, kind and case, and never at greater length than was asked for', async t => {
  const { platform, search } = await open(t)
  await platform.openCase(await platform.credentials('hospital-desk', HOSPITAL, 'agent'))
  const from = Date.now()
  for (const consultationId of ['case-1', 'case-2', 'case-1']) await search({ consultationId })
  t.match((await search({ consultationId: 'case-1', fromMillis: from }))[0]?.findings, { entries: { length: 3 }, hasMore: false }, 'the search itself is one of them')
  t.match((await search({ consultationId: 'case-1', untilMillis: from }))[0]?.findings, { entries: { length: 0 } })
  t.match((await search({ fromMillis: from, limit: 2 }))[0]?.findings, { entries: { length: 2 }, hasMore: true })
  t.match((await search({ kind: 'ceremony', fromMillis: from }))[0]?.findings, { entries: { length: 0 } })
  for (const wrong of [{ limit: 1000 }, { kind: 'everything' }, { patient: 'hanako' }]) await t.rejects(search(wrong), { code: 'bad_message' })
})

t.test('what another site\'s page asks for with an operator\'s certificate is refused, and changes nothing', async t => {
  const { platform, operator, overview } = await open(t)
  for (const site of ['cross-site', 'same-site', 'none']) {
    const asking = request(new URL('/operator/services/archive/quarantine', platform.url), { ...operator, method: 'POST', agent: false, headers: { 'sec-fetch-site': site, 'content-type': 'text/plain' } })
    asking.end('{}')
    const [response] = (await once(asking, 'response', { signal: AbortSignal.timeout(10_000) })) as [IncomingMessage]
    t.equal(response.statusCode, 403, site)
    response.destroy()
  }
  t.match((await overview()).services, [{ status: 'active' }])
})

t.test('a service is put in quarantine and released, and the others go on', async t => {
  const { ask, overview } = await open(t)
  await ask('POST', 'services/archive/quarantine', {})
  t.match((await overview()).services, [{ id: ARCHIVE, status: 'quarantined' }])
  await t.rejects(ask('POST', 'services/archive/quarantine', {}), { code: 'conflict' })
  await ask('POST', 'services/archive/release', {})
  t.match((await overview()).services, [{ id: ARCHIVE, status: 'active' }])
  await t.rejects(ask('POST', 'services/nothing/quarantine', {}), { code: 'not_found' })
})

t.test('the core verifies its own log, and says where it is not what was written', async t => {
  const { platform, search } = await open(t)
  t.match((await search({ kind: 'configuration' }))[0]?.findings, { check: { state: 'intact', findings: 0 }, hasMore: false })
  const folder = join(platform.folder, 'copy')
  await cp(join(platform.folder, 'core', 'audit'), folder, { recursive: true })
  await rm(join(folder, 'lock'), { force: true })
  const segment = join(folder, 'audit-000000.log')
  await writeFile(segment, (await readFile(segment, 'utf8')).replace('"what":"registry"', '"what":"policies"'))
  await copyFile(join(platform.folder, 'core', 'audit-key.pub.pem'), join(platform.folder, 'audit-key.pub.pem'))
  const altered = new LogSearch({ directory: folder, keyFolder: platform.folder, log: createLogger({ level: 'silent', program: 'core' }) })
  t.match(await altered.find({ kind: 'log', limit: 10 }, Date.now()), { check: { state: 'altered', findings: 1 } })
})

t.test('a name that a machine has is no operator\'s, and a key is never overwritten', async t => {
  const { platform, kenkyo, folder } = await open(t)
  await t.rejects(kenkyo('add', NodeId.parse('university-node'), '--facility', 'university', '--name', 'N', '--folder', join(platform.folder, 'other')), { code: 'registry_refused' })
  await t.rejects(kenkyo('add', 'ops-2', '--facility', 'nowhere', '--name', 'N', '--folder', join(platform.folder, 'another')), { code: 'registry_refused' })
  await t.rejects(kenkyo('add', 'ops-2', '--facility', 'hq', '--name', 'N', '--folder', folder), { code: 'conflict' })
})
