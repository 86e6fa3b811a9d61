import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { t } from 'tap'
import { CoreClient } from '../relay/access/core/core-client.ts'
import { CoreMirror } from '../relay/access/core/core-mirror.ts'
import { askCore } from '../relay/access/core/core-request.ts'
import { RegistryCache } from '../relay/access/registry/registry-cache.ts'
import { SnapshotVerifier } from '../relay/access/registry/snapshot.ts'
import { systemClock } from '../relay/runtime/clock.ts'
import { createLogger } from '../relay/runtime/log.ts'
import { CASE, HOSPITAL, PlatformUnderTest, TWO_FACILITIES, UNIVERSITY } from './harness/platform-under-test.ts'
import type { JWK } from 'jose'
import type { CoreCredentials } from '../relay/access/core/core-client.ts'
import type { ConsentQuery } from '../relay/access/consent/consent-statement.ts'
import type { Test } from 'tap'

const query = (): ConsentQuery => ({ consultationId: CASE, purpose: 'consultation', action: 'view_live', facilityId: UNIVERSITY, nowMillis: Date.now() })

async function openPlatform(t: Test): Promise<PlatformUnderTest> {
  const platform = await PlatformUnderTest.open()
  t.teardown(() => platform[Symbol.asyncDispose]())
  return platform
}

/** A node of the university, as far as it hears the core. */
async function openListener(t: Test, platform: PlatformUnderTest, name: string, credentials: CoreCredentials) {
  const folder = join(platform.folder, name)
  await mkdir(folder)
  const key = JSON.parse(await readFile(join(platform.folder, 'core', 'registry-key.pub.json'), 'utf8')) as JWK
  const registry = await RegistryCache.open(folder, await SnapshotVerifier.open(key))
  const mirror = new CoreMirror(registry, () => performance.now())
  const client = new CoreClient({ url: platform.url, credentials: () => credentials, take: message => mirror.take(message), clock: systemClock, log: createLogger({ level: 'silent', program: 'node' }) })
  t.teardown(() => client[Symbol.asyncDispose]())
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    const deadline = performance.now() + 15_000
    while (!holds()) {
      if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
      await sleep(5)
    }
  }
  return { registry, mirror, until }
}

t.test('a node hears who belongs to the platform, what was consented to, and within a second that it was withdrawn', async t => {
  const platform = await openPlatform(t)
  const [desk, node] = [await platform.credentials('hospital-desk', HOSPITAL, 'agent'), await platform.credentials('university-node', UNIVERSITY)]
  const { registry, mirror, until } = await openListener(t, platform, 'university', node)
  await until('the registry', () => mirror.isReachable)
  t.match(registry.facility(HOSPITAL), { status: 'active' })
  await platform.openCase(desk)
  const card = await platform.cards.issue('試験 花子')
  const { consentId } = await platform.consent(desk, card)
  await until('the consent', () => mirror.stateOf(query()).state === 'valid')
  t.match(mirror.consultation(CASE), { hostFacilityId: HOSPITAL })
  const began = performance.now()
  await askCore(platform.url, desk, { method: 'POST', path: `/core/consents/${consentId}/withdrawal` })
  await until('the withdrawal', () => mirror.stateOf(query()).state === 'withdrawn')
  t.comment(`a withdrawal was heard ${Math.round(performance.now() - began)} ms after it was asked for`)
  await platform.setRegistry({ ...TWO_FACILITIES, facilities: TWO_FACILITIES.facilities.map(each => ({ ...each, status: each.id === HOSPITAL ? 'suspended' : 'active' })) })
  await until('the suspension', () => registry.facility(HOSPITAL) === undefined)
  const standing = (await (await platform.askOperator('GET', '/operator/standing')).json()) as { consents: { withdrawnAtMillis: number | null }[] }
  t.not(standing.consents[0]?.withdrawnAtMillis, null)
  t.notMatch(JSON.stringify(standing), /花子/)
})

t.test('who is no member of the platform hears and asks nothing', async t => {
  const platform = await openPlatform(t)
  const ask = (credentials: CoreCredentials, path = '/core/stream') => askCore(platform.url, credentials, { method: 'GET', path })
  const good = await platform.credentials('university-node', UNIVERSITY)
  await t.rejects(ask({ ...good, cert: '', key: '' }), { code: 'unavailable' }, 'no certificate')
  await t.rejects(ask(await platform.credentials('stranger', UNIVERSITY)), { code: 'registry_refused' }, 'a machine that is not registered')
  await t.rejects(ask(await platform.credentials('university-node', HOSPITAL)), { code: 'registry_refused' }, 'the name of another facility\'s machine')
  await t.rejects(ask(await platform.credentials('hospital-desk', HOSPITAL, 'agent')), { code: 'policy_refused' }, 'an agent')
  const other = await openPlatform(t)
  await t.rejects(ask(await other.credentials('university-node', UNIVERSITY).then(({ cert, key }) => ({ cert, key, ca: platform.core.ca.trustPem }))), { code: 'unavailable' }, 'another platform\'s certificate')
  await t.rejects(ask({ ...good, ca: other.core.ca.trustPem }), { code: 'unavailable' }, 'the node does not talk to another platform\'s core')
})

t.test('consents and cases are brought by the facility where the patient is, and what is refused leaves nothing', async t => {
  const platform = await openPlatform(t)
  const [desk, node] = [await platform.credentials('hospital-desk', HOSPITAL, 'agent'), await platform.credentials('university-node', UNIVERSITY)]
  await t.rejects(platform.openCase(node), { code: 'policy_refused' })
  await platform.openCase(desk)
  const card = await platform.cards.issue('試験 花子')
  await t.rejects(platform.consent(node, card), { code: 'consent_refused' }, 'by the university')
  await t.rejects(askCore(platform.url, desk, { method: 'POST', path: '/core/consents', body: { consent: '試験 花子', signature: '' } }), { code: 'consent_refused' })
  await t.rejects(askCore(platform.url, desk, { method: 'POST', path: '/core/consents', body: { name: '試験 花子' } }), { code: 'bad_message', message: /^(?!.*花子)/ })
  const { consentId } = await platform.consent(desk, card)
  await t.rejects(askCore(platform.url, node, { method: 'POST', path: `/core/consents/${consentId}/withdrawal` }), { code: 'policy_refused' })
  t.match(platform.core.desk.store.consents(), [{ withdrawnAtMillis: null }])
})

t.test('operators show a token of whoever can read the core\'s folder', async t => {
  const platform = await openPlatform(t)
  const url = `http://127.0.0.1:${platform.core.operatorPort}/operator/registry`
  t.equal((await fetch(url)).status, 401)
  t.equal((await fetch(url, { headers: { authorization: 'Bearer a.b.c' } })).status, 401)
  t.equal((await platform.askOperator('PUT', '/operator/registry', { facilities: [] })).status, 400)
  const twins = { ...TWO_FACILITIES, nodes: [...TWO_FACILITIES.nodes, ...TWO_FACILITIES.nodes] }
  t.equal((await platform.askOperator('PUT', '/operator/registry', twins)).status, 422)
})
