import { execFile, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { t } from 'tap'
import { findFreePorts } from '../bench/free-ports.ts'
import { createLogger } from '../relay/runtime/log.ts'
import { NodeConfig } from '../sfu/config.ts'
import { loadInvitationKey } from '../sfu/invitation-key.ts'
import { KenkyoNode } from '../sfu/node.ts'
import { NodeUnderTest } from './harness/node-under-test.ts'
import { publishParameters } from './harness/offer.ts'
import { RawClient } from './harness/raw-client.ts'

const KENKYO = join(import.meta.dirname, '../scripts/kenkyo.ts')
const run = promisify(execFile)

interface Failure {
  readonly code: number
  readonly stderr: string
}

/** Runs `kenkyo` with arguments that must make it fail. */
async function failing(...args: string[]): Promise<Failure> {
  return run(process.execPath, [KENKYO, ...args], { env: { PATH: process.env['PATH'] } }).then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => error as Failure,
  )
}

t.test('promtool accepts /metrics of a node at work', async t => {
  await using under = await NodeUnderTest.open()
  await using microscope = await RawClient.join(await under.invite('microscope'))
  await microscope.ok('publish', publishParameters())
  await new Promise(resolve => setTimeout(resolve, 1200))
  const text = await (await fetch(`${under.node.origin}/metrics`)).text()
  t.match(text, /kenkyo_rendition_watchers\{link="local",rendition="tile-1-1"\} 0/)
  t.equal(execFileSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' }), '', 'and has nothing to say')
})

t.test('/metrics says what viewers see of the picture, at its worst', async t => {
  await using under = await NodeUnderTest.open()
  await using microscope = await RawClient.join(await under.invite('microscope'))
  const { publicationId } = await microscope.ok('publish', publishParameters())
  await using first = await RawClient.join(await under.invite('viewer', { member: 'first' }))
  await using second = await RawClient.join(await under.invite('viewer', { member: 'second' }))
  const good = { publicationId, framesPerSecond: 30, freezes: 0, longestFreezeMillis: 0, nativePixelRatio: 1, captureToGlassMillis: null }
  await first.ok('reportExperience', good)
  await second.ok('reportExperience', { ...good, framesPerSecond: 12, freezes: 3, longestFreezeMillis: 420, nativePixelRatio: 0.25, captureToGlassMillis: { p50: 180, p95: 400 } })
  await second.ok('reportExperience', { ...good, framesPerSecond: 24, freezes: 1, longestFreezeMillis: 200, nativePixelRatio: 0.5, captureToGlassMillis: { p50: 120, p95: 130 } })
  const value = (name: string) => under.metric(`kenkyo_viewer_${name}`, { link: 'local' })
  const deadline = performance.now() + 5000
  while ((await value('freezes_total')) < 4 && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(await value('freezes_total'), 4)
  t.equal(await value('frames_per_second'), 24, 'the smallest of the last reports')
  t.equal(await value('native_pixel_ratio'), 0.5)
  t.equal(await value('longest_freeze_seconds'), 0.42, 'of the last minute')
  t.equal(await value('capture_to_glass_seconds_count'), 2, 'only where it is known')
  t.ok(Math.abs((await value('capture_to_glass_seconds_sum')) - 0.3) < 1e-9)
  await Promise.all([first, second].map(viewer => viewer.ok('leave')))
  while ((await value('frames_per_second')) > 0 && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(await value('frames_per_second'), 0, 'a viewer that left takes its series along')
  t.equal(await value('freezes_total'), 4)
})

t.test('/healthz tells what runs', async t => {
  await using under = await NodeUnderTest.open()
  const response = await fetch(`${under.node.origin}/healthz`)
  t.equal(response.status, 200)
  t.same(await response.json(), {
    status: 'ok', workers: { running: 1, configured: 1 }, consultations: 0, sessions: 0, publications: 0,
  })
  t.equal((await fetch(`${under.node.origin}/nothing`)).status, 404)
})

t.test('says in one line which port is in use', async t => {
  const http = createServer()
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as { port: number }
  const stateDir = t.testdir()
  const taken = await failing('node', '--workers', '1', '--state-dir', stateDir, '--listen-port', String(port), '--rtc-base-port', String(await findFreePorts(1)), '--log-level', 'silent')
  http.close()
  t.equal(taken.code, 1)
  t.match(taken.stderr, new RegExp(`^kenkyo: address_in_use: cannot listen on 127.0.0.1:${port}\n$`))
  const mediaPort = await findFreePorts(1)
  const udp = createSocket('udp4')
  udp.bind(mediaPort, '127.0.0.1')
  await once(udp, 'listening')
  const media = await failing('node', '--workers', '1', '--state-dir', stateDir, '--listen-port', String(await findFreePorts(1)), '--rtc-base-port', String(mediaPort), '--log-level', 'silent')
  udp.close()
  t.equal(media.stderr, `kenkyo: address_in_use: cannot take media port ${mediaPort} (UDP and TCP) on 127.0.0.1\n`)
})

t.test('reports every configuration mistake together', async t => {
  const { code, stderr } = await failing('node', '--listen-port', '99999', '--workers', 'many', '--rtc-listen-ip', 'here')
  t.equal(code, 1)
  for (const name of [/^kenkyo: bad_config/, /--listen-port/, /--workers/, /--rtc-listen-ip/]) t.match(stderr, name)
  t.match((await failing('node', '--listen-host', '0.0.0.0')).stderr, /loopback only/)
  t.match((await failing('node', '--tls-cert-file', '/x')).stderr, /both or neither/)
  t.match((await failing('invite', '--consultation', 'a b', '--member', '', '--role', 'owner')).stderr, /--consultation[^]*--member[^]*--role/)
  t.match((await failing('invite', '--consultation', 'a', '--member', 'b', '--role', 'viewer', '--purpose', 'curiosity')).stderr, /--purpose/)
})

t.test('an invitation made by `kenkyo invite` opens the node that shares its state directory', async t => {
  const stateDir = t.testdir()
  const listenPort = await findFreePorts(1)
  const config = NodeConfig.parse({ workers: 1, logLevel: 'silent', rtcBasePort: await findFreePorts(1), stateDir, listenPort })
  await using _node = await KenkyoNode.open(config, createLogger({ level: 'silent', program: 'node' }))
  const { stdout } = await run(process.execPath, [
    KENKYO, 'invite', '--consultation', 'c1', '--member', 'm1', '--role', 'viewer', '--purpose', 'teaching', '--state-dir', stateDir, '--listen-port', String(listenPort),
  ])
  t.match(stdout, /&purpose=teaching\n$/)
  await using client = await RawClient.join(stdout.trim())
  t.ok(client)
})

t.test('serves HTTPS and WSS with TLS 1.3 material, and refuses broken material', async t => {
  const dir = t.testdir()
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const port = await findFreePorts(1)
  const node = spawn(process.execPath, [KENKYO, 'node', '--workers', '1', '--state-dir', dir, '--listen-port', String(port), '--rtc-base-port', String(await findFreePorts(1)),
    '--tls-cert-file', cert, '--tls-key-file', key], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => node.kill('SIGKILL'))
  for await (const chunk of node.stderr as AsyncIterable<Buffer>) if (chunk.includes('node is ready')) break
  const script = `const r = await fetch('https://127.0.0.1:${port}/healthz'); if (r.status !== 200) process.exit(2)
    const w = new WebSocket('wss://127.0.0.1:${port}/signaling'); w.onopen = () => process.exit(0); w.onerror = () => process.exit(3)`
  const client = await run(process.execPath, ['--input-type=module', '--use-openssl-ca', '-e', script], { env: { ...process.env, SSL_CERT_FILE: cert, NODE_EXTRA_CA_CERTS: cert } })
  t.ok(client)
  const exited = once(node, 'exit')
  node.kill('SIGTERM')
  t.same(await exited, [0, null], 'stops when it is told to')
  writeFileSync(cert, 'nonsense')
  t.match((await failing('node', '--tls-cert-file', cert, '--tls-key-file', key, '--state-dir', dir, '--rtc-base-port', String(await findFreePorts(1)), '--log-level', 'silent')).stderr, /^kenkyo: bad_config: the certificate/)
})

t.test('keeps its key, readable by its owner only, and refuses a broken one', async t => {
  const stateDir = join(t.testdir(), 'deep', 'state')
  const [first, second] = await Promise.all([loadInvitationKey(stateDir), loadInvitationKey(stateDir)])
  t.same(first, second, 'two starters agree')
  t.equal(execFileSync('stat', ['-c', '%a', join(stateDir, 'invitation-key.json')], { encoding: 'utf8' }).trim(), '600')
  const broken = join(t.testdir(), 'broken')
  mkdirSync(broken, { recursive: true })
  writeFileSync(join(broken, 'invitation-key.json'), '{')
  await t.rejects(loadInvitationKey(broken), { code: 'bad_config' })
})
