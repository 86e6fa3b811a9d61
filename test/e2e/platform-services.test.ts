/** Services in common on a node of a platform: who reaches them, by which names, and what is recorded. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { t } from 'tap'
import { AuditReader } from '../../relay/audit/audit-reader.ts'
import { PractitionerId, ServiceId } from '../../relay/wire/access.ts'
import { GrantAnswer } from '../../relay/wire/grant.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { HOSPITAL, PlatformUnderTest, TWO_FACILITIES, UNIVERSITY } from '../harness/platform-under-test.ts'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { RegisteredService } from '../../relay/access/registry/registry.ts'

const PATHOLOGIST = { id: PractitionerId.parse('p-1'), facilityId: UNIVERSITY, role: 'pathologist', displayName: 'p-1', status: 'active' } as const

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await sleep(10)
  }
}

/** Something on this machine that counts who reaches it. */
async function serve(t: Test): Promise<{ origin: string; seen: { authorization: string | undefined }[] }> {
  const seen: { authorization: string | undefined }[] = []
  const server = createServer(({ headers }, reply) => {
    seen.push({ authorization: headers.authorization })
    reply.end('[]')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const service = (id: string, origin: string, more: Partial<RegisteredService> = {}): RegisteredService =>
  ({ id: ServiceId.parse(id), facilityId: UNIVERSITY, kind: 'dicomweb', origin, addresses: 'local', requestsPerSecond: 100, status: 'active', ...more })

/** A node of the university with these services, and a pathologist who has a grant. */
async function openWorld(t: Test, services: RegisteredService[]) {
  const platform = await PlatformUnderTest.open()
  t.teardown(() => platform[Symbol.asyncDispose]())
  const setServices = (all: RegisteredService[]) => platform.setRegistry({ ...TWO_FACILITIES, practitioners: [PATHOLOGIST], services: all })
  await setServices(services)
  const [desk, own] = await Promise.all([platform.credentials('hospital-desk', HOSPITAL, 'agent'), platform.credentials('university-node', UNIVERSITY)])
  const file = (name: string): string => join(platform.folder, name)
  await Promise.all([writeFile(file('node.pem'), own.cert), writeFile(file('node.key'), own.key), writeFile(file('ca.pem'), own.ca), writeFile(file('shown.json'), JSON.stringify({ slides: 'Basic of-the-node' }))])
  const node = await NodeUnderTest.open({
    coreUrl: platform.url, nodeCertFile: file('node.pem'), nodeKeyFile: file('node.key'), platformCaFile: file('ca.pem'), registryKeyFile: file('core/registry-key.pub.json'),
    membersListenPort: 0, slides: false, serviceCredentialsFile: file('shown.json'), auditDir: file('audit'),
  })
  t.teardown(() => node[Symbol.asyncDispose]())
  const { origin } = node.node
  await platform.openCase(desk)
  await platform.consent(desk, await platform.cards.issue('試験 花子'), { scopes: ['live', 'slide', 'exchange'] })
  const person = await node.signIn(PATHOLOGIST)
  const invitation = new URLSearchParams(new URL(await node.invite('viewer', { member: 'p-1' })).hash.slice(1)).get('invitation') ?? ''
  const askGrant = async (): Promise<Response> => {
    const url = `${origin}/access/grants`
    return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...(await person.headers('POST', url)) }, body: JSON.stringify({ invitation, purpose: 'consultation' }) })
  }
  let granted: Response | undefined
  await until('a grant', async () => (granted = await askGrant()).status === 200)
  const { token, actions } = GrantAnswer.parse(await granted?.json())
  const ask = async (path: string): Promise<{ status: number; text: string }> => {
    const url = `${origin}/services/${path}`
    const answer = await fetch(url, { headers: await person.headers('GET', new URL(url).href, token), redirect: 'manual', signal: AbortSignal.timeout(10_000) })
    return { status: answer.status, text: await answer.text() }
  }
  return { node, origin, ask, invitation, actions, setServices, auditDir: file('audit') }
}

t.test('a service is reached by its name with a grant, with what the node shows to it, until its quarantine; each use is recorded', async t => {
  const far = await serve(t)
  const { origin, ask, invitation, actions, setServices, node, auditDir } = await openWorld(t, [service('slides', far.origin), service('other', far.origin)])
  t.ok(actions.includes('use_service'))
  t.same(await ask('slides/studies?PatientID=1'), { status: 200, text: '[]' })
  t.same(far.seen, [{ authorization: 'Basic of-the-node' }])
  t.equal((await fetch(`${origin}/services/slides/`, { headers: { authorization: `Bearer ${invitation}` } })).status, 401, 'an invitation is not enough')
  await setServices([service('slides', far.origin, { status: 'quarantined' }), service('other', far.origin)])
  await until('the quarantine', async () => (await ask('slides/')).text.includes('service_quarantined'))
  t.equal((await ask('other/')).status, 200, 'the others go on')
  t.equal(await node.metric('kenkyo_service_requests_total', { service: 'other', outcome: 'ok' }), 1)
  const { entries } = await new AuditReader(auditDir).search({ kind: 'access', limit: 100 })
  const uses = entries.map(({ event }) => event).filter(event => event.kind === 'access' && event.access === 'use_service')
  t.match(uses.filter(event => event.kind === 'access' && event.outcome === 'ok').map(event => event.actor), [{ practitionerId: 'p-1', facilityId: 'university', role: 'pathologist' }, { practitionerId: 'p-1' }])
  t.ok(uses.every(event => event.kind === 'access' && event.grantId !== undefined))
  t.notMatch(JSON.stringify(uses), /PatientID/)
})

t.test('no name of a service leads where the registry does not', async t => {
  const inside = await serve(t)
  const { port } = new URL(inside.origin)
  const { ask } = await openWorld(t, [
    service('loopback', inside.origin, { addresses: 'routable' }),
    service('named', `http://localhost:${port}`, { addresses: 'routable' }),
    service('mapped', `http://[::ffff:7f00:1]:${port}`, { addresses: 'routable' }),
    service('metadata', 'http://169.254.169.254', { addresses: 'routable' }),
    service('unspecified', `http://0.0.0.0:${port}`, { addresses: 'local' }),
    service('far', inside.origin, { facilityId: HOSPITAL }),
  ])
  for (const name of ['loopback', 'named', 'mapped', 'metadata', 'unspecified', 'far']) t.match(await ask(`${name}/`), { status: 503, text: /unavailable/ }, name)
  for (const name of [`127.0.0.1:${port}`, 'localhost', `x@127.0.0.1:${port}`, `127.0.0.1%3A${port}`, `%6coopback/%2e%2e/`, 'loopback%00', 'LOOPBACK', `http:%2F%2F127.0.0.1:${port}`, 'nobody', '', 'a'.repeat(300)]) {
    const { status } = await ask(`${name}/`)
    t.ok(status >= 400 && status < 500, `${name.slice(0, 40)}: ${status}`)
  }
  t.same(inside.seen, [], 'nothing inside was reached')
})
