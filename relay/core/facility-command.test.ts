import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { createLogger } from '../runtime/log.ts'
import { FacilityId, NodeId } from '../wire/access.ts'
import { CoreConfig } from './core-config.ts'
import { facilityCommand } from './facility-command.ts'
import { PlatformCore } from './platform-core.ts'
import type { Test } from 'tap'

/** A running core and a folder of a facility. */
async function open(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'kenkyo-ceremony-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [stateDir, hospital] = [join(folder, 'core'), join(folder, 'hospital')]
  const core = await PlatformCore.open(CoreConfig.parse({ stateDir, listenPort: 0, operatorPort: 0 }), createLogger({ level: 'silent', program: 'core' }))
  t.teardown(() => core[Symbol.asyncDispose]())
  const place = ['--state-dir', stateDir, '--operator-port', String(core.operatorPort)]
  const kenkyo = async (...args: string[]): Promise<string> => {
    const printed: string[] = []
    const { restore } = t.capture(process.stdout, 'write', (text: unknown) => printed.push(String(text)))
    try {
      await facilityCommand().exitOverride().parseAsync(args, { from: 'user' })
    } finally {
      restore()
    }
    return printed.join('')
  }
  const request = async (node = 'node-1', facility = 'hospital'): Promise<string> => {
    const answer = await kenkyo('request', '--facility', facility, '--node', node, '--host-names', 'node.hospital.example', '--folder', join(hospital, node))
    await copyFile(join(hospital, node, 'request.json'), join(stateDir, 'requests', `${node}.json`))
    return /^[0-9a-f]{64}$/m.exec(answer)?.[0] ?? ''
  }
  return { core, stateDir, place, kenkyo, request, at: (node: string, ...names: string[]) => join(hospital, node, ...names) }
}

const rootIn = (text: string): string => /^[0-9a-f]{64}$/m.exec(text)?.[0] ?? ''
const refusal = (code: string) => ({ code })

t.test('a facility joins by request, approval and answer, and leaves by revocation', async t => {
  const { core, stateDir, place, kenkyo, request, at } = await open(t)
  const key = await request()
  t.match(await kenkyo('pending', ...place), `${key} node node-1 of hospital node.hospital.example\n1 waiting\n`)
  await t.rejects(kenkyo('approve', key, ...place), refusal('registry_refused'), 'a new facility is named')
  const approved = await kenkyo('approve', key, '--facility-name', 'Hospital', ...place)
  const answer = join(stateDir, 'answers', `${key}.json`)
  t.match(approved, answer)
  await kenkyo('fetch', answer, '--folder', at('node-1'), '--root', rootIn(approved))
  t.match(await readFile(at('node-1', 'node.pem'), 'utf8'), /BEGIN CERTIFICATE/)
  t.equal(await kenkyo('pending', ...place), '0 waiting\n')
  t.match(core.desk.registry.contents, { facilities: [{ id: 'hospital', displayName: 'Hospital' }], nodes: [{ id: 'node-1', status: 'active' }], revokedCertificates: [] })
  t.match(await kenkyo('revoke', 'node-1', ...place), 'node-1 is suspended, 1 certificate revoked.')
  t.match(core.desk.registry.contents, { nodes: [{ id: 'node-1', status: 'suspended' }] })
  const [entry] = core.ca.issued.filter(({ nodeId }) => nodeId === 'node-1')
  t.same(core.desk.registry.contents.revokedCertificates, [entry?.thumbprint])
  t.type(entry?.revokedAtMillis, 'number')
})

t.test('takes no second machine of a name, and forgets what it turns down', async t => {
  const { core, place, kenkyo, request, stateDir } = await open(t)
  await kenkyo('approve', await request(), '--facility-name', 'Hospital', ...place)
  await rm(join(stateDir, '..', 'hospital', 'node-1'), { recursive: true })
  const again = await request()
  await t.rejects(kenkyo('approve', again, ...place), refusal('conflict'), 'while a good certificate is out')
  await kenkyo('reject', again, ...place)
  await rm(join(stateDir, '..', 'hospital', 'node-1'), { recursive: true })
  const stranger = await request('node-1', 'university')
  await t.rejects(kenkyo('approve', stranger, '--facility-name', 'University', ...place), refusal('registry_refused'), 'of another facility')
  t.equal(core.desk.registry.contents.facilities.length, 1)
  await t.rejects(kenkyo('reject', again, ...place), refusal('not_found'))
  await writeFile(join(stateDir, 'requests', 'bomb.json'), '['.repeat(10_000))
  t.match(await kenkyo('pending', ...place), '1 waiting, 1 files that are no request')
})

t.test('a facility takes no answer of another platform or for another key', async t => {
  const { place, kenkyo, request, at, stateDir } = await open(t)
  const key = await request()
  const root = rootIn(await kenkyo('approve', key, '--facility-name', 'Hospital', ...place))
  const answer = join(stateDir, 'answers', `${key}.json`)
  await t.rejects(kenkyo('fetch', answer, '--folder', at('node-1'), '--root', '0'.repeat(64)), refusal('certificate_refused'))
  await request('node-2')
  await t.rejects(kenkyo('fetch', answer, '--folder', at('node-2'), '--root', root), refusal('certificate_refused'), 'for another machine')
  await copyFile(at('node-2', 'node-key.pem'), at('node-1', 'node-key.pem'))
  await t.rejects(kenkyo('fetch', answer, '--folder', at('node-1'), '--root', root), refusal('certificate_refused'), 'for another key')
  await t.rejects(kenkyo('request', '--facility', 'hospital', '--node', 'node-2', '--host-names', 'a.example', '--folder', at('node-2')), refusal('conflict'), 'a key is never overwritten')
})

t.test('renews a certificate in its last days, and none before', async t => {
  const { core, place, kenkyo, request, at, stateDir } = await open(t)
  const key = await request()
  const approved = await kenkyo('approve', key, '--facility-name', 'Hospital', ...place)
  await kenkyo('fetch', join(stateDir, 'answers', `${key}.json`), '--folder', at('node-1'), '--root', rootIn(approved))
  const renew = () => kenkyo('renew', '--folder', at('node-1'), '--core', `https://localhost:${core.port}`)
  t.match(await renew(), 'Not due')
  const { requestPem } = JSON.parse(await readFile(at('node-1', 'request.json'), 'utf8')) as { requestPem: string }
  const terms = { facilityId: FacilityId.parse('hospital'), nodeId: NodeId.parse('node-1'), kind: 'node', dnsNames: ['node.hospital.example'] } as const
  const { chainPem } = await core.ca.issue(requestPem, { ...terms, lifetimeMillis: 86_400_000 }, Date.now())
  await writeFile(at('node-1', 'node.pem'), chainPem)
  t.match(await renew(), 'Renewed')
  t.not(await readFile(at('node-1', 'node.pem'), 'utf8'), chainPem)
  t.match(await renew(), 'Not due')
  await writeFile(at('node-1', 'node.pem'), chainPem)
  await kenkyo('revoke', 'node-1', ...place)
  await t.rejects(renew(), refusal('unavailable'), 'not for a machine that has left')
  t.equal(await readFile(at('node-1', 'node.pem'), 'utf8'), chainPem)
})
