import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { t } from 'tap'
import { createLogger } from '../../runtime/log.ts'
import { LooseCa, openTestCa } from '../../../test/harness/test-ca.ts'
import { KEY_PURPOSES } from '../pki/certificate.ts'
import { memberUri } from '../pki/member-name.ts'
import { MembersDoor } from './members-door.ts'
import { presenterOf } from './presenter.ts'
import type { Test } from 'tap'
import type { TLSSocket } from 'node:tls'
import type { TestCredentials } from '../../../test/harness/test-ca.ts'
import type { MemberRegistry } from './members-door.ts'

const root = await LooseCa.create()
const hour = 3_600_000
const DEADLINE_MILLIS = 20_000

/** A registry that can be told to revoke everybody. */
class FakeRegistry implements MemberRegistry {
  #listener: () => void = () => undefined
  #all = false
  isRevoked(): boolean {
    return this.#all
  }
  changed(listener: () => void): () => void {
    this.#listener = listener
    return () => undefined
  }
  revokeAll(): void {
    this.#all = true
    this.#listener()
  }
}

async function openDoor(t: Test, options: { recheckMillis?: number; registry?: MemberRegistry; crlsChanged?: (listener: () => void) => () => void } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'kenkyo-door-'))
  const file = (name: string): string => join(folder, name)
  const own = await root.member({ purposes: [KEY_PURPOSES.serverAuth, KEY_PURPOSES.clientAuth], names: [{ type: 'dns', value: 'localhost' }] })
  await Promise.all([writeFile(file('cert.pem'), own.cert), writeFile(file('key.pem'), own.key), writeFile(file('ca.pem'), root.rootPem), writeFile(file('crl.pem'), await root.crl())])
  const server = createServer((request, response) => response.end(JSON.stringify(presenterOf(request))))
  const reasons: string[] = []
  const door = await MembersDoor.open({
    host: '127.0.0.1', port: 0, certFile: file('cert.pem'), keyFile: file('key.pem'), caFile: file('ca.pem'), crlFile: file('crl.pem'),
    server, onRefused: reason => reasons.push(reason), log: createLogger({ level: 'silent', program: 'node' }), ...options,
  })
  t.teardown(async () => {
    server.closeAllConnections()
    await door.close()
    await rm(folder, { recursive: true, force: true })
  })
  return { door, reasons, file }
}

/** Settles when a connection is closed, by an error or without one. */
function closeOf(socket: TLSSocket): Promise<void> {
  const deadline = AbortSignal.timeout(DEADLINE_MILLIS)
  return new Promise((resolve, reject) => {
    socket.on('error', () => undefined)
    socket.once('close', () => resolve())
    deadline.addEventListener('abort', () => reject(new Error('the connection stayed open')))
  })
}

/** What one request over a connection of its own gets; '' when the door closes it. The request is sent before the certificate is judged. */
async function ask(door: MembersDoor, credentials: Partial<TestCredentials>, more: object = {}): Promise<string> {
  const socket = connect({ port: door.port, host: '127.0.0.1', servername: 'localhost', ca: root.rootPem, ...credentials, ...more })
  let text = ''
  socket.on('data', (data: Buffer) => (text += data.toString()))
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  await closeOf(socket)
  return text
}

t.test('lets a member in, and says by its certificate who it is', async t => {
  const { door, reasons } = await openDoor(t)
  const answer = await ask(door, await root.member())
  t.match(answer, /^HTTP\/1\.1 200 /)
  t.match(answer, /"certificateThumbprint":"[0-9a-f]{64}","nodeId":"scanner","facilityId":"hospital"/)
  t.same(reasons, [])
})

t.test('lets in who has a certificate of the platform CA, until it is revoked', async t => {
  await using platform = await openTestCa()
  const { door, reasons, file } = await openDoor(t)
  await Promise.all([writeFile(file('ca.pem'), platform.ca.trustPem), writeFile(file('crl.pem'), await platform.ca.publishCrls(Date.now()))])
  const credentials = await platform.issue('microscope')
  t.match(await ask(door, credentials), /"nodeId":"microscope","facilityId":"hospital"/)
  await platform.ca.revoke(({ nodeId }) => nodeId === 'microscope', Date.now())
  await writeFile(file('crl.pem'), await platform.ca.publishCrls(Date.now()))
  t.equal(await ask(door, credentials), '')
  t.same(reasons, ['revoked'])
})

t.test('closes without a word for every bad certificate, and knows the reason', async t => {
  const { door, reasons, file } = await openDoor(t)
  const stranger = await LooseCa.create('Loose Root')
  const revoked = await root.member({ serial: '4242' })
  await writeFile(file('crl.pem'), await root.crl(['4242']))
  let below = root
  for (const level of ['1', '2']) below = await below.below(`CA ${level}`)
  const uri = { type: 'url' as const, value: memberUri({ facilityId: 'hospital', nodeId: 'scanner' } as never) }
  const bad: Record<string, [Partial<TestCredentials>, string]> = {
    'none': [{}, 'absent'],
    'of a CA of the same name': [await stranger.member(), 'wrong_ca'],
    'expired': [await root.member({ notAfterMillis: Date.now() - 60_000 }), 'expired'],
    'not yet valid': [await root.member({ notBeforeMillis: Date.now() + hour / 2 }), 'not_yet_valid'],
    'revoked': [revoked, 'revoked'],
    'self-signed': [await root.selfSigned(), 'self_signed'],
    'for servers only': [await root.member({ purposes: [KEY_PURPOSES.serverAuth] }), 'wrong_usage'],
    'for anything': [await root.member({ purposes: ['2.5.29.37.0'] }), 'wrong_usage'],
    'of a CA': [await root.member({ authority: { pathLength: 0 } }), 'wrong_usage'],
    'below CAs that the door was not told of': [await below.member(), 'wrong_ca'],
    'with a NUL in a host name': [await root.member({ names: [uri, { type: 'dns', value: 'localhost\0.evil.example' }] }), 'ambiguous_name'],
    'with a NUL in the common name': [await root.member({ subject: [{ CN: ['scanner\0x'] }] }), 'ambiguous_name'],
    'with several common names': [await root.member({ subject: [{ CN: ['scanner'] }, { CN: ['node'] }] }), 'ambiguous_name'],
    'whose common name is another': [await root.member({ subject: [{ CN: ['node'] }] }), 'ambiguous_name'],
    'with a wildcard': [await root.member({ names: [uri, { type: 'dns', value: '*.hospital.example' }] }), 'ambiguous_name'],
    'with an internationalised name': [await root.member({ names: [uri, { type: 'dns', value: 'xn--hspital-n0e.example' }] }), 'ambiguous_name'],
    'with two member names': [await root.member({ names: [uri, { type: 'url', value: 'spiffe://kenkyo/facility/other/node/scanner' }] }), 'ambiguous_name'],
    'with a member name that goes elsewhere': [await root.member({ names: [{ type: 'url', value: 'spiffe://kenkyo/facility/hospital/node/../scanner' }] }), 'ambiguous_name'],
  }
  for (const [name, [credentials, reason]] of Object.entries(bad)) {
    t.equal(await ask(door, credentials), '', `${name}: no byte comes back`)
    t.equal(reasons.shift(), reason, name)
  }
  t.equal(door.size, 0)
})

t.test('ends a connection whose certificate is revoked by a list', async t => {
  const { door, reasons, file } = await openDoor(t, { recheckMillis: 100 })
  const { cert, key } = await root.member({ serial: '4343' })
  const socket = connect({ port: door.port, host: '127.0.0.1', servername: 'localhost', ca: root.rootPem, cert, key })
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(socket, 'data', { signal: AbortSignal.timeout(DEADLINE_MILLIS) })
  const closed = closeOf(socket)
  await writeFile(file('crl.pem'), await root.crl(['4343']))
  await closed
  t.same(reasons, ['revoked'])
})

t.test('ends a connection the moment the registry revokes its certificate', async t => {
  const registry = new FakeRegistry()
  const { door, reasons } = await openDoor(t, { registry })
  const { cert, key } = await root.member()
  const socket = connect({ port: door.port, host: '127.0.0.1', servername: 'localhost', ca: root.rootPem, cert, key })
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(socket, 'data', { signal: AbortSignal.timeout(DEADLINE_MILLIS) })
  const closed = closeOf(socket)
  registry.revokeAll()
  await closed
  t.same(reasons, ['revoked'])
})

t.test('speaks TLS 1.3 only', async t => {
  const { door } = await openDoor(t)
  t.equal(await ask(door, await root.member(), { maxVersion: 'TLSv1.2' }), '')
  if (spawnSync('sslscan', ['--version']).error !== undefined) {
    t.comment('sslscan is not installed: only a client of TLS 1.2 was tried')
    return
  }
  const { stdout: report } = await promisify(execFile)('sslscan', ['--no-colour', `127.0.0.1:${door.port}`], { timeout: DEADLINE_MILLIS })
  t.same([...report.matchAll(/^(SSLv\d|TLSv1\.\d)\s+(\w+)$/gm)].filter(([, , state]) => state === 'enabled').map(([, version]) => version), ['TLSv1.3'])
})

t.test('a certificate that was renewed is shown without a restart', async t => {
  const { door, file } = await openDoor(t, { recheckMillis: 50 })
  const member = await root.member()
  const shown = async (): Promise<string> => {
    const socket = connect({ host: '127.0.0.1', port: door.port, servername: 'localhost', ca: root.rootPem, ...member, minVersion: 'TLSv1.3' })
    await once(socket, 'secureConnect')
    const { serialNumber } = socket.getPeerCertificate()
    socket.destroy()
    return serialNumber
  }
  const before = await shown()
  const renewed = await root.member({ purposes: [KEY_PURPOSES.serverAuth, KEY_PURPOSES.clientAuth], names: [{ type: 'dns', value: 'localhost' }] })
  await Promise.all([writeFile(file('cert.pem.new'), renewed.cert), writeFile(file('key.pem.new'), renewed.key)])
  await rename(file('cert.pem.new'), file('cert.pem'))
  await rename(file('key.pem.new'), file('key.pem'))
  const deadline = performance.now() + DEADLINE_MILLIS
  while ((await shown()) === before) if (performance.now() > deadline) throw new Error('the old certificate is still shown')
})

t.test('new revocation lists end connections at once, and not only when it is time to look', async t => {
  await using platform = await openTestCa()
  const lists = { changed: (): void => undefined }
  const { door, reasons, file } = await openDoor(t, {
    crlsChanged: listener => {
      lists.changed = listener
      return () => undefined
    },
  })
  await Promise.all([writeFile(file('ca.pem'), platform.ca.trustPem), writeFile(file('crl.pem'), platform.ca.crlsPem)])
  const member = await platform.issue('scope')
  const socket = connect({ host: '127.0.0.1', port: door.port, servername: 'localhost', ca: root.rootPem, ...member, minVersion: 'TLSv1.3' })
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  const deadline = performance.now() + DEADLINE_MILLIS
  while (door.size === 0) {
    if (performance.now() > deadline) throw new Error('not let in')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  const ended = closeOf(socket)
  await platform.ca.revoke(({ nodeId }) => nodeId === 'scope', Date.now())
  await writeFile(file('crl.pem'), platform.ca.crlsPem)
  lists.changed()
  await ended
  t.same(reasons, ['revoked'])
})
