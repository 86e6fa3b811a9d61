import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { t } from 'tap'
import { LooseCa } from '../../test/harness/test-ca.ts'
import { KEY_PURPOSES } from '../access/pki/certificate.ts'
import { RelayFault } from '../wire/fault.ts'
import { parseInvitation } from './invitation-link.ts'
import { NodeAccess } from './node-access.ts'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import type { FaultCode } from '../wire/fault.ts'

const root = await LooseCa.create()
const never = new AbortController().signal
const HOUR = 3_600_000

interface Asked {
  readonly path: string
  readonly token: string | undefined
  readonly serial: string
  readonly body: Record<string, unknown>
}

/** A node's door for members, as far as grants go, whose clock is an hour behind. */
async function openDoor(t: Test, lifetimeMillis = 300_000) {
  const own = await root.member({ purposes: [KEY_PURPOSES.serverAuth], names: [{ type: 'dns', value: 'localhost' }] })
  const asked: Asked[] = []
  const door = { refusal: undefined as FaultCode | undefined, lifetimeMillis, count: 0 }
  const server = createServer({ ...own, ca: root.rootPem, requestCert: true, minVersion: 'TLSv1.3' }, (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const serial = (request.socket as Partial<TLSSocket>).getPeerX509Certificate?.()?.serialNumber ?? ''
      asked.push({ path: request.url ?? '', token: request.headers.authorization, serial, body: JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown> })
      const nodeMillis = Date.now() - HOUR
      response.setHeader('date', new Date(nodeMillis).toUTCString())
      if (door.refusal !== undefined) response.writeHead(403).end(JSON.stringify({ code: door.refusal }))
      else response.end(JSON.stringify({ token: `a.b.${++door.count}`, grantId: randomUUID(), role: 'microscope', actions: ['publish_live'], validUntilMillis: nodeMillis + door.lifetimeMillis }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const folder = t.testdir()
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem'), caFile: join(folder, 'ca.pem') }
  const agent = await root.member()
  await Promise.all([writeFile(files.certFile, agent.cert), writeFile(files.keyFile, agent.key), writeFile(files.caFile, root.rootPem)])
  const address = parseInvitation('x.y.z', `https://localhost:${(server.address() as AddressInfo).port}`)
  return { door, asked, files, address, server }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 15_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await sleep(10)
  }
}

t.test('without a certificate the invitation is shown, and a refusal is final', async t => {
  const address = parseInvitation('x.y.z', 'http://127.0.0.1:9')
  const access = new NodeAccess({ address })
  const entry = await access.entry(never)
  t.equal(entry.token, 'x.y.z')
  t.notOk(access.refused(entry, new RelayFault('invitation_expired', 'over')))
})

t.test('with one a grant is asked for once, whoever asks for it, and one node\'s clock is no other\'s', async t => {
  const { address, asked, files } = await openDoor(t)
  const access = new NodeAccess({ address, files, purpose: 'intraoperative_diagnosis', isEmergency: true })
  const tokens = await Promise.all([1, 2, 3].map(async () => (await access.entry(never)).token))
  t.same(tokens, ['a.b.1', 'a.b.1', 'a.b.1'])
  t.equal((await access.entry(never)).token, 'a.b.1')
  t.same(asked.map(({ path, body }) => [path, body]), [['/access/grants', { invitation: 'x.y.z', purpose: 'intraoperative_diagnosis', isEmergency: true }]])
})

t.test('a stay is renewed before its end for as long as it lasts, and no longer', async t => {
  const { address, asked, door, files } = await openDoor(t, 4500)
  const access = new NodeAccess({ address, files })
  const held = await access.enter(never)
  await until('two renewals', () => asked.filter(({ path }) => path.endsWith('/renew')).length === 2)
  t.equal(asked[1]?.token, 'Bearer a.b.1')
  t.equal(asked[2]?.token, 'Bearer a.b.2')
  await until('the new token', () => held.token === 'a.b.3')
  held[Symbol.dispose]()
  door.lifetimeMillis = 300_000
  t.equal((await access.entry(never)).token, 'a.b.3')
  t.equal(asked.length, 3)
})

t.test('a grant that opened the door and does not any more is asked for anew; one that never did is not', async t => {
  const { address, asked, files } = await openDoor(t)
  const access = new NodeAccess({ address, files })
  const entry = await access.entry(never)
  entry.accepted()
  t.notOk(access.refused(entry, new RelayFault('unavailable', 'away')), 'that the node is away says nothing of the grant')
  t.ok(access.refused(entry, new RelayFault('token_refused', 'restarted')))
  const next = await access.entry(never)
  t.equal(next.token, 'a.b.2')
  t.ok(access.refused({ token: 'a.b.1' }, new RelayFault('token_refused', 'late')), 'of an older one it says nothing')
  t.equal((await access.entry(never)).token, 'a.b.2')
  t.notOk(access.refused(next, new RelayFault('wrong_role', 'never')))
  t.equal(asked.length, 2)
})

t.test('the node\'s own code is told, and a node without such a door by bad_config', async t => {
  const { address, door, files, server } = await openDoor(t)
  const access = new NodeAccess({ address, files })
  door.refusal = 'consent_withdrawn'
  await t.rejects(access.entry(never), { code: 'consent_withdrawn' })
  door.refusal = 'core_unreachable'
  await t.rejects(access.entry(never), { code: 'core_unreachable' })
  server.removeAllListeners('request').on('request', (_request, response) => response.writeHead(404).end())
  await t.rejects(access.entry(never), { code: 'bad_config' })
  server.removeAllListeners('request').on('request', (_request, response) => response.end('hello'))
  await t.rejects(access.entry(never), { code: 'unavailable' })
  const stop = new AbortController()
  const reason = new Error('stop')
  server.removeAllListeners('request').on('request', () => stop.abort(reason))
  await t.rejects(access.entry(stop.signal), reason)
  t.throws(() => new NodeAccess({ address: parseInvitation('x.y.z', 'http://127.0.0.1:9'), files }), { code: 'bad_config' })
})

t.test('a certificate that was renewed is shown with the next that begins, and what began goes on with the old one', async t => {
  const { address, asked, files } = await openDoor(t, 6000)
  const access = new NodeAccess({ address, files })
  using held = await access.enter(never)
  const renewed = await root.member()
  await Promise.all([writeFile(`${files.certFile}.new`, renewed.cert), writeFile(`${files.keyFile}.new`, renewed.key)])
  await rename(`${files.certFile}.new`, files.certFile)
  await rename(`${files.keyFile}.new`, files.keyFile)
  const entry = await access.entry(never)
  t.equal(String(entry.tls.cert), renewed.cert)
  t.not(entry.token, held.token)
  const [first, second] = asked
  t.not(first?.serial, second?.serial)
  await until('the stay to be renewed', () => asked.some(({ path, serial }) => path.endsWith('/renew') && serial === first?.serial))
})
