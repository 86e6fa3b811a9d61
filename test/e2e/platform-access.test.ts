/** A node on a platform: who is let in, and how soon it ends when what it rests on does. */
import { once } from 'node:events'
import { request } from 'node:https'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { t } from 'tap'
import { askCore } from '../../relay/access/core/core-request.ts'
import { readCertificate } from '../../relay/access/pki/certificate.ts'
import { GrantAnswer } from '../../relay/wire/grant.ts'
import { dersIn } from '../harness/test-ca.ts'
import { NodeId } from '../../relay/wire/access.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { HOSPITAL, PlatformUnderTest, TWO_FACILITIES, UNIVERSITY } from '../harness/platform-under-test.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import type { CoreCredentials } from '../../relay/access/core/core-client.ts'

const MEMBERS = { ...TWO_FACILITIES, nodes: [...TWO_FACILITIES.nodes, { id: NodeId.parse('scope'), facilityId: UNIVERSITY, kind: 'agent' as const, status: 'active' as const }] }

async function until(what: string, holds: () => boolean | Promise<boolean>, deadlineMillis = 20_000): Promise<void> {
  const deadline = performance.now() + deadlineMillis
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await sleep(10)
  }
}

/** Asks a node over its members' door. */
async function ask(port: number, credentials: CoreCredentials, method: string, path: string, body: object = {}, token?: string): Promise<{ status: number; answer: Record<string, unknown> }> {
  const payload = JSON.stringify(body)
  const asking = request({ host: 'localhost', port, path, method, ...credentials, agent: false, headers: method === 'GET' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload), ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) } })
  asking.end(method === 'GET' ? undefined : payload)
  const [response] = (await once(asking, 'response', { signal: AbortSignal.timeout(10_000) })) as [IncomingMessage]
  let text = ''
  for await (const part of response as AsyncIterable<Buffer>) text += part.toString()
  return { status: response.statusCode ?? 0, answer: JSON.parse(text) as Record<string, unknown> }
}

/** A platform, a node of the university that hears it, a case with consent, and a microscope with a certificate. */
async function openWorld(t: Test, validForMillis = 3_600_000) {
  const platform = await PlatformUnderTest.open()
  t.teardown(() => platform[Symbol.asyncDispose]())
  await platform.setRegistry(MEMBERS)
  const [desk, own, scope] = await Promise.all([platform.credentials('hospital-desk', HOSPITAL, 'agent'), platform.credentials('university-node', UNIVERSITY), platform.credentials('scope', UNIVERSITY, 'agent')])
  const file = (name: string): string => join(platform.folder, name)
  await Promise.all([writeFile(file('node.pem'), own.cert), writeFile(file('node.key'), own.key), writeFile(file('ca.pem'), own.ca)])
  const node = await NodeUnderTest.open({
    coreUrl: platform.url, nodeCertFile: file('node.pem'), nodeKeyFile: file('node.key'), platformCaFile: file('ca.pem'),
    registryKeyFile: file('core/registry-key.pub.json'), membersListenPort: 0, slides: false,
  })
  t.teardown(() => node[Symbol.asyncDispose]())
  const port = node.node.membersPort ?? 0
  await until('the core to be heard', async () => (await ask(port, scope, 'GET', '/access')).answer['isCoreReachable'] === true)
  await platform.openCase(desk)
  const { consentId } = await platform.consent(desk, await platform.cards.issue('試験 花子'), { validUntilMillis: Date.now() + validForMillis })
  const invitation = new URLSearchParams(new URL(await node.invite('microscope', { member: 'scope' })).hash.slice(1)).get('invitation') ?? ''
  const askGrant = (credentials = scope) => ask(port, credentials, 'POST', '/access/grants', { invitation, purpose: 'consultation' })
  await until('the consent to be known', async () => (await askGrant()).status === 200)
  const join_ = async (): Promise<RawClient> => {
    const { token } = GrantAnswer.parse((await askGrant()).answer)
    const client = await RawClient.open(`https://localhost:${port}/#invitation=${token}`, scope)
    t.teardown(() => client[Symbol.asyncDispose]())
    await client.ok('join', client.joinParameters())
    return client
  }
  return { platform, node, port, desk, scope, own, consentId, invitation, askGrant, join: join_ }
}

const codeOf = (closing: { fault?: { code: string } }): string | undefined => closing.fault?.code

t.test('a consent that is withdrawn ends the session, and nothing new is granted', async t => {
  const { platform, desk, consentId, askGrant, join } = await openWorld(t)
  const client = await join()
  const began = performance.now()
  await askCore(platform.url, desk, { method: 'POST', path: `/core/consents/${consentId}/withdrawal` })
  t.equal(codeOf(await client.find(({ type }) => type === 'closing')), 'consent_withdrawn')
  t.comment(`the session ended ${Math.round(performance.now() - began)} ms after the withdrawal was asked for`)
  t.match(await askGrant(), { status: 403, answer: { code: 'consent_withdrawn' } })
})

t.test('an invitation alone lets nobody in, nor does a grant of another client', async t => {
  const { node, port, own, invitation, askGrant } = await openWorld(t)
  await using stranger = await RawClient.open(`${node.node.origin}/#invitation=${invitation}`)
  t.equal(await stranger.refusal('join', stranger.joinParameters()), 'token_refused')
  const { token } = GrantAnswer.parse((await askGrant()).answer)
  await using thief = await RawClient.open(`https://localhost:${port}/#invitation=${token}`, own)
  t.equal(await thief.refusal('join', thief.joinParameters()), 'token_refused')
  const response = await fetch(`${node.node.origin}/access/grants`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ invitation, purpose: 'consultation' }) })
  t.equal(response.status, 401)
  t.match(await response.json(), { code: 'sign_in_required' })
})

t.test('a certificate that is revoked ends the session', async t => {
  const { platform, scope, join } = await openWorld(t)
  const client = await join()
  const [der = Buffer.alloc(0)] = dersIn(String(scope.cert))
  const began = performance.now()
  await platform.setRegistry({ ...MEMBERS, revokedCertificates: [readCertificate(der).thumbprint] })
  await client.closed
  t.comment(`the session ended ${Math.round(performance.now() - began)} ms after the revocation was asked for`)
  await t.rejects(join())
})

t.test('without the core nothing new is granted, members are told, and sessions go on until what was granted runs out', async t => {
  const { platform, port, scope, askGrant, join } = await openWorld(t, 20_000)
  const client = await join()
  const early = GrantAnswer.parse((await askGrant()).answer)
  await platform.core[Symbol.asyncDispose]()
  const lost = () => client.received.find(({ type, isCoreReachable }) => type === 'accessChanged' && isCoreReachable === false)
  await until('members to be told', () => lost() !== undefined)
  t.ok(Number(lost()?.['validUntilMillis']) > Date.now())
  t.match(await askGrant(), { status: 503, answer: { code: 'core_unreachable' } })
  t.equal(client.socket.readyState, client.socket.OPEN)
  t.notOk(client.received.some(({ type }) => type === 'closing'))
  await using late = await RawClient.open(`https://localhost:${port}/#invitation=${early.token}`, scope)
  await late.ok('join', late.joinParameters())
  t.match(await late.find(({ type }) => type === 'accessChanged'), { isCoreReachable: false, validUntilMillis: early.validUntilMillis })
  const renewal = await ask(port, scope, 'POST', '/access/grants/renew', {}, early.token)
  t.match(renewal, { status: 503, answer: { code: 'core_unreachable' } })
  t.ok(Date.now() < early.validUntilMillis, 'the grant lives on until its end')
  await late.closed
  t.match(late.received.find(({ type }) => type === 'closing'), { fault: { code: 'invitation_expired' } })
  t.ok(Date.now() >= early.validUntilMillis)
})
