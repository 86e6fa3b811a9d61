import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:net'
import fastify from 'fastify'
import { t } from 'tap'
import { Upload } from 'tus-js-client'
import { createLogger } from '../../runtime/log.ts'
import { RelayFault } from '../../wire/fault.ts'
import { ConsultationId, MemberId, SlideId } from '../../wire/ids.ts'
import { bytes, millis } from '../../wire/units.ts'
import { TusRoutes } from './tus-routes.ts'
import type { Test } from 'tap'
import type { TusRoutesOptions } from './tus-routes.ts'

const SLIDE_ID = SlideId.parse('5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11')
const NAME = 'YAMADA-TARO.svs'
const TUS = { 'tus-resumable': '1.0.0' }

/** Takes what begins with `II`, as a slide's file does; tokens name their member. */
async function openRoutes(t: Test, change: Partial<TusRoutesOptions> = {}) {
  const directory = change.directory ?? t.testdir()
  const imported: { readonly body: Buffer; readonly memberId: string }[] = []
  const expiry = new AbortController()
  const routes = await TusRoutes.open({
    directory, maxBytes: bytes(8_000_000), maxUploads: 4, expiry: millis(3_600_000), log: createLogger({ level: 'silent', program: 'node' }), stopping: new AbortController().signal,
    authorise: async token => {
      if (token === 'viewer') throw new RelayFault('wrong_role', 'not a scanner')
      if (!token.startsWith('scanner')) throw new RelayFault('invitation_refused', 'no')
      return { memberId: MemberId.parse(token), consultationId: ConsultationId.parse('case-1'), expired: expiry.signal, release: () => undefined }
    },
    importSlide: async (path, { memberId }) => {
      const body = readFileSync(path)
      if (body.toString('latin1', 0, 2) !== 'II') throw new RelayFault('unsupported_slide', 'no reader knows it')
      imported.push({ body, memberId })
      return SLIDE_ID
    },
    ...change,
  })
  const app = fastify()
  app.addHook('onSend', async (_request, reply) => void reply.header('x-content-type-options', 'nosniff'))
  routes.addTo(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const { port } = app.server.address() as { port: number }
  return { routes, imported, directory, expiry, port, endpoint: `http://127.0.0.1:${port}/uploads` }
}

/** Uploads as any client of tus does. @returns The upload's URL. */
function upload(endpoint: string, body: Buffer, options: Partial<ConstructorParameters<typeof Upload>[1]> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = new Upload(body, {
      endpoint, chunkSize: 1_000_000, retryDelays: null, metadata: { filename: NAME, filetype: 'image/tiff' }, headers: { authorization: 'Bearer scanner-1' },
      onError: reject, onSuccess: () => resolve(client.url ?? ''), ...options,
    })
    client.start()
  })
}

const slide = (size: number): Buffer => Buffer.concat([Buffer.from('II'), randomBytes(size - 2)])
const read = async (url: string, token = 'scanner-1', init: RequestInit = {}) => {
  const response = await fetch(url, { ...init, headers: { ...TUS, authorization: `Bearer ${token}`, ...(init.headers as Record<string, string> | undefined) } })
  return { status: response.status, headers: response.headers, body: init.method !== 'HEAD' && response.headers.get('content-type')?.includes('json') === true ? ((await response.json()) as object) : undefined }
}

t.test('an upload becomes a slide, and nothing of the file stays', async t => {
  const { routes, imported, directory, endpoint } = await openRoutes(t)
  const body = slide(3_500_000)
  const url = await upload(endpoint, body)
  await routes.settled()
  t.match(imported, [{ memberId: 'scanner-1' }])
  t.ok(imported[0]?.body.equals(body))
  t.match(await read(url), { status: 200, body: { state: 'imported', slideId: SLIDE_ID } })
  t.same(readdirSync(join(directory, 'arriving')), [])
  t.same(readdirSync(join(directory, 'whole')).map(name => name.slice(32)), ['.state'])
  t.notOk(readdirSync(join(directory, 'whole')).some(name => readFileSync(join(directory, 'whole', name)).includes(NAME)))
})

t.test('an upload that was cut off goes on where it was, and its bytes are those of the file', async t => {
  const { routes, imported, endpoint } = await openRoutes(t)
  const body = slide(5_000_000)
  const cut = Promise.withResolvers<string>()
  const first = new Upload(body, {
    endpoint, chunkSize: 1_000_000, retryDelays: null, headers: { authorization: 'Bearer scanner-1' },
    onChunkComplete: (_size, accepted) => {
      if (accepted >= 2_000_000) void first.abort().then(() => cut.resolve(first.url ?? ''))
    },
  })
  first.start()
  const uploadUrl = await cut.promise
  t.match(await read(uploadUrl), { body: { state: 'receiving' } })
  const offset = Number((await read(uploadUrl, 'scanner-1', { method: 'HEAD' })).headers.get('upload-offset'))
  t.ok(offset >= 2_000_000 && offset < body.length)
  await upload(endpoint, body, { uploadUrl })
  await routes.settled()
  t.ok(imported[0]?.body.equals(body))
})

t.test('a client that lost the last answer hears that nothing is missing', async t => {
  const { routes, imported, endpoint } = await openRoutes(t)
  const body = slide(10_000)
  const uploadUrl = await upload(endpoint, body)
  await routes.settled()
  await upload(endpoint, body, { uploadUrl })
  t.equal(imported.length, 1)
  t.match(await read(uploadUrl, 'scanner-1', { method: 'DELETE' }), { status: 409 })
})

t.test('nobody uploads, asks or deletes without an invitation of the right kind', async t => {
  const { imported, endpoint } = await openRoutes(t)
  const url = await upload(endpoint, slide(10))
  const create = { method: 'POST', headers: { 'upload-length': '10' } }
  t.match(await fetch(endpoint, { method: 'POST', headers: { ...TUS, 'upload-length': '10' } }), { status: 401 })
  t.match(await read(endpoint, 'junk', create), { status: 401, body: { code: 'invitation_refused' } })
  t.match(await read(endpoint, 'viewer', create), { status: 403, body: { code: 'wrong_role' } })
  for (const method of ['GET', 'HEAD', 'PATCH', 'DELETE']) t.match(await read(url, 'scanner-2', { method, headers: method === 'PATCH' ? { 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' } : {} }), { status: 404 }, method)
  await t.rejects(upload(endpoint, slide(10), { headers: {} }), /401/)
  t.equal(imported.length, 1)
})

t.test('a file that is no slide is refused with a code that can be read, and deleted', async t => {
  const { routes, directory, endpoint } = await openRoutes(t)
  const url = await upload(endpoint, Buffer.from('no slide at all'))
  await routes.settled()
  t.same((await read(url)).body, { state: 'failed', code: 'unsupported_slide' })
  t.same(readdirSync(join(directory, 'whole')).filter(name => name.endsWith('.slide')), [])
})

t.test('what is longer than it may be or than it said, or one too many, is refused', async t => {
  const { endpoint } = await openRoutes(t)
  await t.rejects(upload(endpoint, slide(8_000_001)), /413/)
  const { headers } = await read(endpoint, 'scanner-1', { method: 'POST', headers: { 'upload-length': '4' } })
  const url = new URL(headers.get('location') ?? '', endpoint).href
  t.match(await read(url, 'scanner-1', { method: 'PATCH', body: 'II345', headers: { 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' } }), { status: 413 })
  for (let more = 0; more < 3; more++) t.match(await read(endpoint, 'scanner-1', { method: 'POST', headers: { 'upload-length': '4' } }), { status: 201 })
  t.match(await read(endpoint, 'scanner-1', { method: 'POST', headers: { 'upload-length': '4' } }), { status: 503 })
})

t.test('path tricks in the name of an upload lead nowhere', async t => {
  const { directory, endpoint } = await openRoutes(t)
  writeFileSync(join(directory, 'secret.json'), '{}')
  for (const name of ['..%2Fsecret', '%2e%2e%2fsecret', 'x'.repeat(32), '..%00', `${'a'.repeat(32)}.json`]) t.match(await read(`${endpoint}/${name}`), { status: 404 }, name)
  t.ok(existsSync(join(directory, 'secret.json')))
})

t.test('an invitation that runs out ends an upload under way', async t => {
  const { directory, port, endpoint, expiry } = await openRoutes(t)
  const { headers } = await read(endpoint, 'scanner-1', { method: 'POST', headers: { 'upload-length': '1000' } })
  const path = new URL(headers.get('location') ?? '', endpoint).pathname
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  // It is reset.
  const closed = once(socket.on('error', () => undefined), 'close').catch(() => undefined)
  socket.write(`PATCH ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer scanner-1\r\ntus-resumable: 1.0.0\r\nupload-offset: 0\r\ncontent-type: application/offset+octet-stream\r\ncontent-length: 1000\r\n\r\nII`)
  const file = join(directory, 'arriving', path.slice(-32))
  for (const deadline = Date.now() + 5000; statSync(file).size < 2 && Date.now() < deadline; ) await new Promise(resolve => setImmediate(resolve))
  expiry.abort(new RelayFault('invitation_expired', 'over'))
  await closed
  t.pass('the connection was closed')
})

t.test('what was whole when the program ended becomes a slide when it starts again', async t => {
  const directory = t.testdir()
  const owner = { memberId: 'scanner-1', consultationId: 'case-1' }
  const [whole, moved, taken] = ['a', 'b', 'c'].map(letter => letter.repeat(32))
  for (const name of ['arriving', 'whole']) mkdirSync(join(directory, name))
  const state = JSON.stringify({ state: 'importing', owner, size: 3, arrivedAtMillis: Date.now() })
  // The last piece arrived, and nothing else happened.
  writeFileSync(join(directory, 'arriving', whole!), 'II1')
  writeFileSync(join(directory, 'arriving', `${whole}.json`), JSON.stringify({ id: whole, size: 3, offset: 0, metadata: owner, creation_date: new Date().toISOString() }))
  // It was being taken over.
  writeFileSync(join(directory, 'arriving', moved!), 'II2')
  writeFileSync(join(directory, 'whole', `${moved}.state`), state)
  // It was being imported.
  writeFileSync(join(directory, 'whole', `${taken}.slide`), 'II3')
  writeFileSync(join(directory, 'arriving', `${taken}.json`), '{}')
  writeFileSync(join(directory, 'whole', `${taken}.state`), state)
  const { routes, imported } = await openRoutes(t, { directory })
  await routes.settled()
  t.same(imported.map(({ body }) => body.toString()).sort(), ['II1', 'II2', 'II3'])
  t.same(readdirSync(join(directory, 'arriving')), [])
})

t.test('what a crash leaves of files with names in them is deleted at the next start', async t => {
  const directory = t.testdir()
  for (const folder of ['arriving', 'whole']) mkdirSync(join(directory, folder))
  const [ended, unknown, orphan] = ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)]
  const state = { state: 'imported', owner: { memberId: 'scanner-1', consultationId: 'case-1' }, size: 4, arrivedAtMillis: Date.now(), slideId: SLIDE_ID }
  writeFileSync(join(directory, 'whole', `${ended}.state`), JSON.stringify(state))
  writeFileSync(join(directory, 'whole', `${ended}.slide`), 'II-1')
  writeFileSync(join(directory, 'whole', `${unknown}.slide`), 'II-2')
  writeFileSync(join(directory, 'whole', `${unknown}.state`), '{"state":')
  writeFileSync(join(directory, 'whole', `${unknown}.state.draft`), '')
  writeFileSync(join(directory, 'arriving', orphan), 'II-3')
  const { routes, imported, endpoint } = await openRoutes(t, { directory })
  await routes.settled()
  t.same([readdirSync(join(directory, 'arriving')), readdirSync(join(directory, 'whole'))], [[], [`${ended}.state`]])
  t.same(imported, [])
  t.match(await read(`${endpoint}/${ended}`), { status: 200, body: { state: 'imported' } })
})

t.test('an import that the end of the program stops begins anew after the next start', async t => {
  const directory = t.testdir()
  const first = await openRoutes(t, { directory, stopping: AbortSignal.abort(), importSlide: () => Promise.reject(new RelayFault('unavailable', 'the node is stopping')) })
  const body = slide(1000)
  const url = new URL(await upload(first.endpoint, body)).pathname
  await first.routes.settled()
  const second = await openRoutes(t, { directory })
  await second.routes.settled()
  t.ok(second.imported[0]?.body.equals(body))
  t.match(await read(new URL(url, second.endpoint).href), { status: 200, body: { state: 'imported' } })
})

t.test('an import that ends with unavailable while the program goes on has failed, and says so', async t => {
  const { routes, endpoint } = await openRoutes(t, { importSlide: () => Promise.reject(new RelayFault('unavailable', 'the store is closed')) })
  const url = await upload(endpoint, slide(1000))
  await routes.settled()
  t.match(await read(url), { status: 200, body: { state: 'failed', code: 'unavailable' } })
})
