import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import fastify from 'fastify'
import { t } from 'tap'
import { FacilityId, GrantId, ServiceId } from '../../relay/wire/access.ts'
import { AuditEvent } from '../../relay/wire/audit-event.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ConsultationId } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { createRegistry } from '../../relay/runtime/metrics.ts'
import { NodeServices } from './node-services.ts'
import { ServiceMetrics } from './service-metrics.ts'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { RegisteredService } from '../../relay/access/registry/registry.ts'
import type { AuditEventInput } from '../../relay/wire/audit-event.ts'
import type { NodeServicesOptions } from './node-services.ts'

const DEADLINE_MILLIS = 10_000
const HOSPITAL = FacilityId.parse('hospital')
const deadline = () => ({ signal: AbortSignal.timeout(DEADLINE_MILLIS) })

/** A registry of services alone, that can change. */
class FakeRegistry {
  readonly #services = new Map<string, RegisteredService>()
  readonly #listeners = new Set<() => void>()

  service(id: ServiceId): RegisteredService | undefined {
    return this.#services.get(id)
  }

  changed(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  set(id: string, origin: string, more: Partial<RegisteredService> = {}): void {
    this.#services.set(id, { id: ServiceId.parse(id), facilityId: HOSPITAL, kind: 'other', origin, addresses: 'local', requestsPerSecond: 1000, status: 'active', ...more })
    for (const listener of this.#listeners) listener()
  }
}

async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function open(t: Test, more: Partial<NodeServicesOptions> = {}) {
  const registry = new FakeRegistry()
  const events: AuditEventInput[] = []
  const withdrawal = new AbortController()
  const grantId = GrantId.parse(crypto.randomUUID())
  const prom = createRegistry()
  const record = async (event: AuditEventInput): Promise<void> => void events.push(AuditEvent.parse(event))
  const services = new NodeServices({
    registry, facilityId: HOSPITAL, metrics: new ServiceMetrics(prom), clock: systemClock, log: createLogger({ level: 'silent', program: 'node' }),
    audit: { record, recordEmergency: record },
    authorise: async ({ headers }) => {
      if (headers.authorization !== 'Bearer ours') throw new RelayFault('token_refused', 'not ours')
      return { actor: { facilityId: HOSPITAL }, facilityId: HOSPITAL, consultationId: ConsultationId.parse('case-1'), grantId, isEmergency: false, ended: withdrawal.signal }
    },
    ...more,
  })
  const app = fastify({ logger: false })
  services.addTo(app)
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    await services[Symbol.asyncDispose]()
    app.server.closeAllConnections()
    await app.close()
  })
  const get = (path: string, init: RequestInit = {}) =>
    fetch(`${origin}/services/${path}`, { redirect: 'manual', ...deadline(), ...init, headers: { authorization: 'Bearer ours', ...(init.headers as Record<string, string>) } })
  const code = async (answer: Response): Promise<unknown> => [answer.status, ((await answer.json()) as { code: string }).code]
  const count = async (outcome: string, service: string): Promise<number> =>
    (await prom.getSingleMetric('kenkyo_service_requests_total')?.get())?.values.find(({ labels }) => labels['outcome'] === outcome && labels['service'] === service)?.value ?? 0
  return { registry, events, withdrawal, origin, get, code, count, prom }
}

/** Sends bytes as they are, and returns all that comes back. */
async function sendRaw(origin: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  let answer = ''
  socket.setEncoding('latin1').on('data', part => (answer += String(part)))
  socket.on('error', () => undefined)
  socket.write(text)
  await once(socket, 'close', deadline())
  return answer
}

const refuseAll = (t: Test): RequestListener => (_request, reply) => {
  t.fail('a service that nobody named was reached')
  reply.end()
}

t.test('a service gets what was asked and nothing of who asked; its answer comes back without cookies', async t => {
  const { registry, get, events, count } = await open(t, { credentials: new Map([[ServiceId.parse('pacs'), 'Basic of-the-node']]) })
  let seen: IncomingMessage | undefined
  registry.set('pacs', await serve(t, (request, reply) => {
    seen = request
    reply.writeHead(200, { 'content-type': 'application/dicom+json', 'set-cookie': 'a=b', 'x-powered-by': 'x', 'content-security-policy': '*', etag: '"1"', 'keep-alive': 'timeout=9' }).end('[]')
  }))
  const answer = await get('pacs/studies?PatientID=123', { headers: { accept: 'application/dicom+json', cookie: 'c=d', dpop: 'proof', 'x-forwarded-for': '1.2.3.4', forwarded: 'for=x', te: 'trailers', 'proxy-authorization': 'p', range: 'bytes=0-1' } })
  t.equal(await answer.text(), '[]')
  t.match(seen, { url: '/studies?PatientID=123', headers: { accept: 'application/dicom+json', range: 'bytes=0-1', via: '1.1 kenkyo', authorization: 'Basic of-the-node' } })
  t.equal(seen?.headers.host, new URL(registry.service(ServiceId.parse('pacs'))!.origin).host)
  for (const name of ['cookie', 'dpop', 'x-forwarded-for', 'forwarded', 'te', 'proxy-authorization']) t.equal(seen?.headers[name], undefined, name)
  t.same(['set-cookie', 'x-powered-by'].map(name => answer.headers.get(name)), [null, null])
  t.match(Object.fromEntries(answer.headers), { etag: '"1"', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'content-security-policy': /^sandbox/ })
  t.match(events, [{ kind: 'access', access: 'use_service', outcome: 'ok', subject: { serviceId: 'pacs' } }])
  t.notMatch(JSON.stringify(events), /123|studies/, 'never what was asked')
  await (await get('pacs/')).text()
  t.equal(events.length, 1, 'once a minute')
  t.equal(await count('ok', 'pacs'), 2)
})

t.test('the way to a service cannot be bent', async t => {
  const { registry, origin } = await open(t)
  const evil = await serve(t, refuseAll(t))
  registry.set('pacs', await serve(t, (request, reply) => reply.end(`saw ${request.headers.host}`)))
  const host = new URL(evil).host
  const head = `authorization: Bearer ours\r\nconnection: close`
  for (const line of [
    `GET ${evil}/services/pacs/ HTTP/1.1\r\nhost: x`, `GET http://x@${host}/services/pacs/ HTTP/1.1\r\nhost: x`, `GET /services/pacs/../../x HTTP/1.1\r\nhost: x`, `GET /services/pacs/%2e%2e/x HTTP/1.1\r\nhost: x`,
    `GET /services/pacs/%2f%2f${host} HTTP/1.1\r\nhost: x`, `GET /services/pacs//${host}/ HTTP/1.1\r\nhost: x`, `GET /services/pacs/@${host}/ HTTP/1.1\r\nhost: x`, `GET /services/pacs@${host}/ HTTP/1.1\r\nhost: x`,
    `GET /services/pacs/a%0d%0ahost:${host} HTTP/1.1\r\nhost: x`, `GET /services/pacs/a\\b HTTP/1.1\r\nhost: x`, `GET /services/${host}/ HTTP/1.1\r\nhost: x`, `GET /services/pacs/x HTTP/1.1\r\nhost: x\r\ncontent-length: 3`,
    `CONNECT ${host} HTTP/1.1\r\nhost: ${host}`, 'TRACE /services/pacs/ HTTP/1.1\r\nhost: x', `GET /services/pacs/ HTTP/1.1\r\nhost: a\r\nhost: b`, `POST /services/pacs/ HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked`,
  ]) {
    const answer = await sendRaw(origin, `${line}\r\n${head}\r\n\r\nabc`)
    t.match(answer, /^$|^HTTP\/1\.1 4\d\d /, line.slice(0, 50))
    t.notMatch(answer, /saw/)
  }
  t.match(await sendRaw(origin, `GET /services/pacs/ HTTP/1.1\r\nhost: ${host}\r\nx-forwarded-host: ${host}\r\n${head}\r\n\r\n`), new RegExp(`saw ${new URL(registry.service(ServiceId.parse('pacs'))!.origin).host}`), 'Host is the one of the registry')
})

t.test('a redirect is followed by nobody, rewritten within the service, and refused elsewhere', async t => {
  const { registry, get, code } = await open(t)
  const evil = await serve(t, refuseAll(t))
  registry.set('pacs', await serve(t, (request, reply) => reply.writeHead(302, { location: request.url === '/here' ? '/there?a=1' : `${evil}/` }).end()))
  const here = await get('pacs/here')
  t.same([here.status, here.headers.get('location')], [302, '/services/pacs/there?a=1'])
  t.same(await code(await get('pacs/away')), [503, 'unavailable'])
})

t.test('a name that leads to this machine is refused, at whichever resolution', async t => {
  const answers = ['10.255.255.1', '127.0.0.1', '169.254.169.254', '::1']
  let resolutions = 0
  const forbidden = await open(t, { resolve: (_name, answer) => answer(null, [{ address: '10.0.0.1', family: 4 }, { address: answers[1 + (resolutions++ % 3)]!, family: 4 }]) })
  const local = await serve(t, refuseAll(t))
  forbidden.registry.set('named', `http://pacs.test:${new URL(local).port}`, { addresses: 'routable' })
  forbidden.registry.set('literal', local, { addresses: 'routable' })
  forbidden.registry.set('mapped', `http://[::ffff:7f00:1]:${new URL(local).port}`, { addresses: 'routable' })
  for (const name of ['named', 'named', 'named', 'literal', 'mapped']) t.same(await forbidden.code(await forbidden.get(`${name}/`)), [503, 'unavailable'], name)
  t.equal(resolutions, 3)

  let asked = 0
  const rebinding = await open(t, { resolve: (_name, answer) => answer(null, [{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }]) })
  rebinding.registry.set('named', `http://pacs.test:${new URL(await serve(t, (_request, reply) => reply.end('first'))).port}`)
  t.equal(await (await rebinding.get('named/')).text(), 'first')
  t.equal(asked, 1, 'resolved once, and connected to that')
})

t.test('a service that hangs leaves the others untouched, and ends with its quarantine', async t => {
  const { registry, get, code, count } = await open(t)
  const hangs = Promise.withResolvers<undefined>()
  const hanging = await serve(t, () => hangs.resolve(undefined))
  const streaming = await serve(t, (_request, reply) => void reply.writeHead(200).write('begin'))
  registry.set('hangs', hanging)
  registry.set('streams', streaming)
  registry.set('works', await serve(t, (_request, reply) => reply.end('works')))
  const waiting = get('hangs/')
  const stream = await get('streams/')
  const reader = stream.body!.getReader()
  t.equal(Buffer.from((await reader.read()).value!).toString(), 'begin', 'nothing waits for the end of a body')
  await hangs.promise
  t.equal(await (await get('works/')).text(), 'works')
  registry.set('hangs', hanging, { status: 'quarantined' })
  t.same(await code(await waiting), [503, 'service_quarantined'])
  t.same(await code(await get('hangs/')), [503, 'service_quarantined'])
  t.equal(await (await get('works/')).text(), 'works')
  registry.set('streams', streaming, { status: 'quarantined' })
  await t.rejects(reader.read(), 'what runs is cut')
  t.equal(await (await get('works/')).text(), 'works')
  t.equal(await count('service_quarantined', 'streams'), 1)
})

t.test('a grant that ends ends what runs by it', async t => {
  const { registry, get, code, withdrawal } = await open(t)
  const hangs = Promise.withResolvers<undefined>()
  registry.set('hangs', await serve(t, () => hangs.resolve(undefined)))
  registry.set('streams', await serve(t, (_request, reply) => void reply.writeHead(200).write('begin')))
  const waiting = get('hangs/')
  const reader = (await get('streams/')).body!.getReader()
  await reader.read()
  await hangs.promise
  withdrawal.abort(new RelayFault('consent_withdrawn', 'the patient withdrew'))
  t.same(await code(await waiting), [403, 'consent_withdrawn'])
  await t.rejects(reader.read())
})

t.test('limits: rate by facility, requests at once, body, silence', async t => {
  const { registry, get, code, events, origin } = await open(t, { limits: { requestBytes: 10 as never, responseBytes: 20 as never, silence: millis(300), perService: 1 } })
  registry.set('slow', 'http://127.0.0.1:1', { requestsPerSecond: 0.1 })
  t.same(await code(await get('slow/')), [503, 'unavailable'], 'nobody listens there')
  const limited = await get('slow/')
  t.equal(limited.headers.get('retry-after'), '1')
  t.same(await code(limited), [429, 'rate_limited'])
  t.match(events.at(-1), { outcome: 'rate_limited' })
  const hangs = Promise.withResolvers<undefined>()
  registry.set('hangs', await serve(t, () => hangs.resolve(undefined)))
  const waiting = get('hangs/')
  await hangs.promise
  t.same(await code(await get('hangs/')), [503, 'overloaded'])
  t.same(await code(await waiting), [504, 'timeout'])
  registry.set('echo', await serve(t, (request, reply) => request.pipe(reply)))
  t.equal(await (await get('echo/', { method: 'POST', body: '0123456789' })).text(), '0123456789')
  t.same(await code(await get('echo/', { method: 'POST', body: '0123456789a' })), [413, 'out_of_range'])
  t.match(await sendRaw(origin, `POST /services/echo/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ours\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n14\r\n${'x'.repeat(20)}\r\n0\r\n\r\n`), /^HTTP\/1\.1 413|^$/)
  registry.set('long', await serve(t, (_request, reply) => reply.writeHead(200, { etag: '"1"', 'content-length': '21' }).end('x'.repeat(21))))
  const long = await get('long/')
  t.equal(long.headers.get('etag'), null)
  t.same(await code(long), [503, 'unavailable'])
  registry.set('endless', await serve(t, (_request, reply) => {
    reply.write('x')
    reply.write('x'.repeat(21))
  }))
  // Whether its beginning was handed on by then or not.
  t.match(await get('endless/').then(async answer => (answer.status === 503 ? 'refused' : answer.text())).catch(() => 'cut'), /^(cut|refused)$/)
})

t.test('who may not, what is unknown, what cannot be recorded, and what answers without a body', async t => {
  const { registry, get, code, origin, count } = await open(t)
  registry.set('pacs', await serve(t, (request, reply) => reply.writeHead(request.url === '/304' ? 304 : request.url === '/204' ? 204 : 200, request.url === '/204' ? {} : { 'content-length': '5' }).end(request.url === '/' ? 'hello' : undefined)))
  t.same(await code(await fetch(`${origin}/services/pacs/`, deadline())), [401, 'token_refused'])
  t.same(await code(await get('unknown/')), [404, 'not_found'])
  t.equal(await count('not_found', 'none'), 1, 'no name makes a label')
  registry.set('theirs', 'http://10.0.0.1', { facilityId: FacilityId.parse('university') })
  t.same(await code(await get('theirs/')), [503, 'unavailable'], 'not without TLS')
  const head = await get('pacs/', { method: 'HEAD' })
  t.same([head.status, head.headers.get('content-length'), await head.text()], [200, '5', ''])
  t.equal((await get('pacs/304')).status, 304)
  t.equal((await get('pacs/204')).status, 204)
  const full = async (): Promise<never> => Promise.reject(new RelayFault('not_recorded', 'the disk is full'))
  const unrecorded = await open(t, { audit: { record: full, recordEmergency: full } })
  unrecorded.registry.set('pacs', await serve(t, refuseAll(t)))
  t.same(await unrecorded.code(await unrecorded.get('pacs/')), [503, 'not_recorded'])
})

t.test('whoever leaves takes the request along', async t => {
  const { registry, origin, count } = await open(t)
  const came = Promise.withResolvers<undefined>()
  const left = Promise.withResolvers<undefined>()
  registry.set('hangs', await serve(t, request => {
    request.once('close', () => left.resolve(undefined))
    came.resolve(undefined)
  }))
  const asking = httpRequest(`${origin}/services/hangs/`, { headers: { authorization: 'Bearer ours' } }).on('error', () => undefined)
  asking.end()
  await came.promise
  asking.destroy()
  await left.promise
  t.equal(await count('abandoned', 'hangs'), 1)
})
