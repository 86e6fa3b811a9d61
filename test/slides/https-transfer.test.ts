import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import fastify from 'fastify'
import { exportJWK, generateKeyPair } from 'jose'
import { t } from 'tap'
import { generateInvitationKey, InvitationIssuer, InvitationVerifier } from '../../relay/access/invitation.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { createRegistry } from '../../relay/runtime/metrics.ts'
import { openSigningKey, verifyLevelHead, verifySlideHead, verifySquareHead } from '../../relay/slides/manifest/heads.ts'
import { SlidePreparation } from '../../relay/slides/manifest/slide-preparation.ts'
import { HttpDoor } from '../../relay/slides/transfer/http-door.ts'
import { HttpsCarrier } from '../../relay/slides/transfer/https-carrier.ts'
import { SlideSender } from '../../relay/slides/transfer/slide-sender.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ConsultationId, MemberId, SlideId } from '../../relay/wire/ids.ts'
import { columnsOf, rowsOf, ScannerKey } from '../../relay/wire/slide.ts'
import { decodeProof, isTileProven } from '../../relay/wire/tile-proof.ts'
import { bytes, millis } from '../../relay/wire/units.ts'
import { NodeSlides } from '../../sfu/slides/node-slides.ts'
import { SlideMetrics } from '../../sfu/slides/slide-metrics.ts'
import { MemorySlideStore } from '../fakes/memory-slide-store.ts'
import type { Test } from 'tap'
import type { ChunkCarrier } from '../../relay/slides/transfer/transfer.ts'
import type { Role } from '../../relay/wire/signaling.ts'
import type { SlideLevel, SlideStructure } from '../../relay/wire/slide.ts'

const encoding = { compression: 'jpeg', photometric: 'ycbcr', tables: '' } as const
const shape = (width: number, height: number): SlideLevel => ({ width, height, tileWidth: 256, tileHeight: 256, encoding, isMade: false })
const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
const key = await openSigningKey(await exportJWK(privateKey))
const signal = new AbortController().signal

/** Some tiles are left out by the format. About 14 MB, or 1. */
function generatedSlide({ isSmall = false } = {}) {
  const structure: SlideStructure = {
    version: 1, slideId: SlideId.parse(crypto.randomUUID()), format: 'tiff', pseudonym: 'ABCD-1234', micronsPerPixel: { x: 0.25, y: 0.25 }, objectivePower: 40,
    levels: [isSmall ? shape(2300, 1600) : shape(8000, 6000), shape(2000, 1500), shape(500, 375)], removed: [],
  }
  const filler = randomBytes(64 * 1024)
  const tile = (level: number, column: number, row: number): Buffer =>
    (column + row) % 11 === 10 ? Buffer.alloc(0) : Buffer.concat([Buffer.from(`${level}/${column}/${row}`), filler.subarray(0, 15_000 + ((column * 7919 + row * 104_729) % 9000))])
  const prepare = (): SlidePreparation =>
    new SlidePreparation({ structure, key, tiles: { readTile: (level, { column, row }) => Promise.resolve(tile(level, column, row)), [Symbol.asyncDispose]: () => Promise.resolve() } })
  return { structure, tile, prepare }
}

async function openNode(t: Test) {
  const jwk = await generateInvitationKey()
  const [issuer, verifier] = await Promise.all([InvitationIssuer.open(jwk), InvitationVerifier.open(jwk)])
  const store = new MemorySlideStore()
  const slides = new NodeSlides(store, {
    verify: token => verifier.verify(token), metrics: new SlideMetrics(createRegistry()), clock: systemClock, log: createLogger({ level: 'silent', program: 'node' }), origin: 'http://127.0.0.1',
  })
  const app = fastify({ bodyLimit: 64 * 1024 })
  slides.addTo(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    app.server.closeAllConnections()
    await app.close()
    await slides[Symbol.asyncDispose]()
  })
  const { port } = app.server.address() as { port: number }
  const origin = `http://127.0.0.1:${port}`
  const invite = (role: Role, consultation = 'case-1', member = 'someone'): Promise<string> =>
    issuer.issue({ consultationId: ConsultationId.parse(consultation), memberId: MemberId.parse(member), role, lifetimeSeconds: 600 })
  const get = async (path: string, token: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${origin}${path}`, { ...init, headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` } })
  return { origin, invite, get, store, slides, app }
}

function openTransfer(t: Test, origin: string, token: string, connections = { least: 1, most: 8, first: 4 }) {
  const door = new HttpDoor({ origin, token })
  const carrier = new HttpsCarrier({ origin, token }, { clock: systemClock, connections })
  t.teardown(() => {
    door[Symbol.dispose]()
    return carrier[Symbol.asyncDispose]()
  })
  return { door, carrier, clock: systemClock, retry: { first: millis(20), cap: millis(100) } }
}

t.test('a slide goes through HTTP into a store, and every tile proves against its signed head', async t => {
  const { origin, invite, get } = await openNode(t)
  const { structure, tile, prepare } = generatedSlide()
  const last: { bytesDone: number; bytesKnown: number }[] = []
  const sender = new SlideSender({ ...openTransfer(t, origin, await invite('scanner')), slide: prepare(), onProgress: progress => last.splice(0, 1, progress) })
  await sender.run(signal)
  t.ok(last[0]!.bytesDone > 10_000_000 && last[0]!.bytesDone === last[0]!.bytesKnown)

  const viewer = await invite('viewer', 'case-1', 'doctor')
  const { slides } = (await (await get('/slides', viewer)).json()) as { slides: { slideId: string; state: string; chunks: number; chunksHere: number }[] }
  t.match(slides, [{ slideId: structure.slideId, state: 'complete', pseudonym: 'ABCD-1234' }])
  t.equal(slides[0]!.chunks, slides[0]!.chunksHere)
  const about = (await (await get(`/slides/${structure.slideId}`, viewer)).json()) as { structure: string; key: unknown; levels: { level: number; head: string; index: string }[]; head: string }
  t.same(JSON.parse(Buffer.from(about.structure, 'base64').toString()), structure)
  const scannerKey = ScannerKey.parse(about.key)
  const { roots } = await verifySlideHead(about.head, scannerKey)
  for (const { level, head, index } of about.levels) {
    const said = await verifyLevelHead(head, scannerKey)
    t.same([said.root, said.index], [roots[level], index])
    const levelShape = structure.levels[level]!
    for (let row = 0; row < rowsOf(levelShape); row += 2) {
      for (let column = row % 3; column < columnsOf(levelShape); column += 3) {
        const response = await get(`/slides/${structure.slideId}/tiles/${level}/${column}/${row}`, viewer)
        const body = new Uint8Array(await response.arrayBuffer())
        const isProven = await isTileProven({ level, position: { column, row }, bytes: body }, decodeProof(response.headers.get('kenkyo-proof') ?? ''), said.root)
        if (!isProven || !tile(level, column, row).equals(body)) t.fail(`${level}/${column}/${row}`)
      }
    }
  }
  const arrived = (await (await get(`/slides/${structure.slideId}/arrived`, viewer)).json()) as { levels: { heat: string }[] }
  t.ok(arrived.levels.every(({ heat }) => Buffer.from(heat, 'base64').every(value => value === 255)))
})

t.test('who has no grant gets nothing', async t => {
  const { origin, invite, get } = await openNode(t)
  const { structure, prepare } = generatedSlide({ isSmall: true })
  const slide = prepare()
  const scanner = await invite('scanner')
  await new SlideSender({ ...openTransfer(t, origin, scanner), slide }).run(signal)
  const base = `/slides/${structure.slideId}`
  const paths = ['', '/arrived', '/tiles/0/0/0', '/annotations']
  const stranger = await invite('viewer', 'case-2')
  for (const path of paths) {
    t.same([(await get(base + path, stranger)).status, (await get(base + path, await invite('microscope', 'case-2'))).status], [403, 403], path)
    // Under its stage it may have a slide of its own consultation: what it is, and its tiles.
    t.equal((await get(base + path, await invite('microscope'))).status, path === '' || path.startsWith('/tiles') ? 200 : 403, path)
    const nobody = await fetch(origin + base + path)
    t.same([nobody.status, nobody.headers.get('www-authenticate')], [401, 'Bearer'], path)
    t.equal((await get(base + path, 'no.such.token')).status, 401, path)
  }
  t.same(await (await get('/slides', stranger)).json(), { slides: [] })
  const viewer = await invite('viewer')
  const other = await invite('scanner', 'case-1', 'other')
  const octets = { 'content-type': 'application/octet-stream' }
  const refused = async (token: string, path: string, init: RequestInit): Promise<number> => (await get(path, token, init)).status
  for (const token of [viewer, other]) {
    t.equal(await refused(token, base, { method: 'DELETE' }), 403)
    t.equal(await refused(token, `${base}/levels/0`, { method: 'PUT', body: 'x', headers: { ...octets, 'kenkyo-head': 'x' } }), 403)
    t.equal(await refused(token, `${base}/chunks/${'0'.repeat(64)}`, { method: 'PUT', body: 'x', headers: octets }), 403)
    t.equal(await refused(token, `${base}/wanted?after=0`, {}), 403)
    t.equal(await refused(token, `${base}/head`, { method: 'PUT', body: '{"head":"x"}', headers: { 'content-type': 'application/json' } }), 403)
  }
  t.equal(await refused(scanner, base, { method: 'DELETE' }), 204)
  t.equal((await get(base, viewer)).status, 404)
})

t.test('what a viewer looks at comes before the rest', async t => {
  const { origin, invite, get } = await openNode(t)
  const { structure, prepare } = generatedSlide()
  const transfer = openTransfer(t, origin, await invite('scanner'), { least: 1, most: 1, first: 1 })
  const sent: string[] = []
  const held = Promise.withResolvers<undefined>()
  const carrier: ChunkCarrier = {
    kind: 'https', window: 1, putSquare: transfer.carrier.putSquare.bind(transfer.carrier), [Symbol.asyncDispose]: () => Promise.resolve(),
    put: async (id, sha256, body, aborted) => {
      // Holds the line from the first chunk of the finest level on, until the viewer's wish was heard.
      if (sent.length === 12) await held.promise
      sent.push(sha256)
      return transfer.carrier.put(id, sha256, body, aborted)
    },
  }
  const heard = Promise.withResolvers<undefined>()
  const door = {
    announce: transfer.door.announce.bind(transfer.door), putLevel: transfer.door.putLevel.bind(transfer.door), missing: transfer.door.missing.bind(transfer.door), complete: transfer.door.complete.bind(transfer.door),
    wanted: async (...args: Parameters<HttpDoor['wanted']>) => {
      const wanted = await transfer.door.wanted(...args)
      if (wanted.chunks.length > 0) heard.resolve(undefined)
      return wanted
    },
  }
  const slide = prepare()
  const sender = new SlideSender({ ...transfer, door, carrier, slide, coarseBytes: bytes(500_000) })
  const running = sender.run(signal)
  const viewer = await invite('viewer')
  const look = (): Promise<Response> =>
    get(`/slides/${structure.slideId}/viewport`, viewer, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ level: 0, x: 7000, y: 5600, width: 900, height: 300 }) })
  while ((await look()).status !== 204) await new Promise(setImmediate)
  await heard.promise
  await new Promise(setImmediate)
  held.resolve(undefined)
  await running
  const finest: string[] = []
  for await (const level of prepare().levels(signal)) if (level.level === 0) finest.push(...[...level.index.entries()].map(({ sha256 }) => sha256))
  // The last square of the level is its last chunks; they went before most of the others.
  t.ok(sent.indexOf(finest.at(-1)!) < 16, `${sent.indexOf(finest.at(-1)!)}`)
  t.equal(new Set(sent).size, sent.length, 'nothing went twice')
})

t.test('after an abort another sender goes on where the first was', async t => {
  const { origin, invite, slides } = await openNode(t)
  const { structure, prepare } = generatedSlide()
  const token = await invite('scanner')
  const stop = new AbortController()
  const first = new SlideSender({ ...openTransfer(t, origin, token), slide: prepare(), onProgress: ({ chunksDone }) => {
    if (chunksDone >= 10) stop.abort(new RelayFault('unavailable', 'stopped'))
  } })
  await t.rejects(first.run(stop.signal), { code: 'unavailable' })
  const transfer = openTransfer(t, origin, token)
  let puts = 0
  const carrier: ChunkCarrier = { kind: 'https', window: 4, putSquare: transfer.carrier.putSquare.bind(transfer.carrier), [Symbol.asyncDispose]: () => Promise.resolve(), put: (id, sha256, body, aborted) => {
    puts++
    return transfer.carrier.put(id, sha256, body, aborted)
  } }
  const second = new SlideSender({ ...transfer, carrier, slide: prepare() })
  await second.run(signal)
  t.ok(puts <= second.progress.chunksKnown - 10, `${puts} of ${second.progress.chunksKnown}`)
  t.equal(slides.store.slide(structure.slideId)?.state, 'complete')
})

t.test('a tile is served with a validator, and while it is not here there is none', async t => {
  const { origin, invite, get } = await openNode(t)
  const { structure, prepare } = generatedSlide({ isSmall: true })
  const { door, ...transfer } = openTransfer(t, origin, await invite('scanner'))
  const slide = prepare()
  await door.announce(slide, signal)
  const viewer = await invite('viewer')
  const path = `/slides/${structure.slideId}/tiles/2/0/0`
  t.equal((await get(path, viewer)).status, 404, 'before its level')
  for await (const level of slide.levels(signal)) await door.putLevel(structure.slideId, level, signal)
  const missing = await get(path, viewer)
  t.same([missing.status, missing.headers.get('cache-control'), missing.headers.get('etag')], [404, 'no-store', null], 'before its chunk')
  await new SlideSender({ ...transfer, door, slide: prepare() }).run(signal)
  const tile = await get(path, viewer)
  t.same([tile.status, tile.headers.get('cache-control')], [200, 'private, max-age=31536000, immutable'])
  t.equal((await get(path, viewer, { headers: { 'if-none-match': tile.headers.get('etag') ?? '' } })).status, 304)
  t.equal((await get(`/slides/${structure.slideId}/tiles/2/9/0`, viewer)).status, 404)
  for (const bad of ['2/-1/0', '2/0x1/0', '99/0/0', '2/1.5/0', '2/0/..%2f0']) t.equal((await get(`/slides/${structure.slideId}/tiles/${bad}`, viewer)).status, 400, bad)
})

t.test('annotations are kept, and nobody writes over what he has not seen', async t => {
  const { origin, invite, get } = await openNode(t)
  const { structure, prepare } = generatedSlide({ isSmall: true })
  await new SlideSender({ ...openTransfer(t, origin, await invite('scanner')), slide: prepare() }).run(signal)
  const viewer = await invite('viewer')
  const path = `/slides/${structure.slideId}/annotations`
  const none = await get(path, viewer)
  t.same([none.headers.get('etag'), none.headers.get('content-type'), await none.json()], ['"0"', 'application/geo+json; charset=utf-8', { type: 'FeatureCollection', features: [] }])
  const feature = { type: 'Feature', id: crypto.randomUUID(), geometry: { type: 'Point', coordinates: [100.5, 20] }, properties: { note: 'mitosis' } }
  const put = (body: unknown, match?: string): Promise<Response> =>
    get(path, viewer, { method: 'PUT', body: JSON.stringify(body), headers: { 'content-type': 'application/geo+json', ...(match === undefined ? {} : { 'if-match': match }) } })
  const collection = { type: 'FeatureCollection', features: [feature] }
  const kept = { ...feature, properties: { ...feature.properties, author: 'someone' } }
  t.equal((await put(collection)).status, 400, 'without if-match')
  const stored = await put(collection, '"0"')
  t.same([stored.status, stored.headers.get('etag')], [204, '"1"'])
  t.equal((await put({ ...collection, features: [] }, '"0"')).status, 412)
  const both = await Promise.all([put(collection, '"1"'), put(collection, '"1"')])
  t.same(both.map(({ status }) => status).toSorted(), [204, 412])
  t.same(await (await get(path, viewer)).json(), { ...collection, features: [kept] })
  const open = [[0, 0], [1, 0], [1, 1], [0, 1]]
  for (const geometry of [{ type: 'Polygon', coordinates: [open] }, { type: 'Point', coordinates: [1e12, 0] }, { type: 'Circle', coordinates: [0, 0] }, null]) {
    t.equal((await put({ type: 'FeatureCollection', features: [{ ...feature, geometry }] }, '"2"')).status, 400, JSON.stringify(geometry))
  }
})

t.test('an annotation is its author\'s, whatever it says of itself', async t => {
  const { origin, invite, get } = await openNode(t)
  const { structure, prepare } = generatedSlide({ isSmall: true })
  await new SlideSender({ ...openTransfer(t, origin, await invite('scanner')), slide: prepare() }).run(signal)
  const [alice, bob] = [await invite('viewer', 'case-1', 'alice'), await invite('viewer', 'case-1', 'bob')]
  const path = `/slides/${structure.slideId}/annotations`
  const put = (token: string, features: readonly object[], match: string): Promise<Response> =>
    get(path, token, { method: 'PUT', body: JSON.stringify({ type: 'FeatureCollection', features }), headers: { 'content-type': 'application/geo+json', 'if-match': match } })
  const claimed = { type: 'Feature', id: crypto.randomUUID(), geometry: { type: 'Point', coordinates: [1, 1] }, properties: { author: 'bob', colour: 3 } }
  t.equal((await put(alice, [claimed], '"0"')).status, 204)
  const { features: stored } = (await (await get(path, bob)).json()) as { features: (typeof claimed)[] }
  t.same(stored.map(({ properties }) => properties), [{ author: 'alice' }])
  t.same([await put(bob, [], '"1"'), await put(bob, [claimed], '"1"')].map(({ status }) => status), [403, 403], 'neither taken away nor taken over')
  t.equal((await put(bob, [...stored, { ...claimed, id: crypto.randomUUID() }], '"1"')).status, 204)
  const crowded = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`property${index}`, index]))
  t.equal((await put(bob, [...stored, { ...claimed, id: crypto.randomUUID(), properties: crowded }], '"2"')).status, 400, 'the author is one property more')
})

t.test('a complete slide is served by DICOMweb, to its consultation only', async t => {
  const { origin, invite, get } = await openNode(t)
  const { prepare } = generatedSlide({ isSmall: true })
  await new SlideSender({ ...openTransfer(t, origin, await invite('scanner')), slide: prepare() }).run(signal)
  const studies = async (token: string): Promise<number> => {
    const response = await get('/dicomweb/studies', token, { headers: { accept: 'application/dicom+json' } })
    return response.status === 200 ? ((await response.json()) as unknown[]).length : 0
  }
  const viewer = await invite('viewer')
  t.equal(await studies(viewer), 1)
  t.equal(await studies(await invite('viewer', 'case-2')), 0)
  t.equal((await get('/dicomweb/studies', await invite('microscope'))).status, 403)
  t.equal((await fetch(`${origin}/dicomweb/studies`)).status, 401)
  t.equal(await studies(viewer), 1)
})

t.test('bytes that are not those of the chunk are refused before and after they came', async t => {
  const { origin, invite, store, app } = await openNode(t)
  const { structure, prepare } = generatedSlide({ isSmall: true })
  const { door, carrier } = openTransfer(t, origin, await invite('scanner'))
  const slide = prepare()
  await door.announce(slide, signal)
  for await (const level of slide.levels(signal)) {
    await door.putLevel(structure.slideId, level, signal)
    const { sha256, length } = level.index.chunk(0)
    await t.rejects(carrier.put(structure.slideId, sha256, Buffer.alloc(length), signal), { code: 'hash_mismatch' })
    await t.rejects(carrier.put(structure.slideId, sha256, Buffer.alloc(length - 1), signal), { code: 'hash_mismatch' })
  }
  t.equal(store.usage().chunks, 0)
  app.server.closeAllConnections()
  const closed = once(app.server, 'close')
  await app.close()
  await closed.catch(() => undefined)
  await t.rejects(door.missing(structure.slideId, 0, signal), { code: 'unavailable' }, 'a node that is gone')
})

t.test('what a viewer looks at is seen and proven before its level is known, and by its level from then on', async t => {
  const { origin, invite, get } = await openNode(t)
  const { structure, tile, prepare } = generatedSlide({ isSmall: true })
  const transfer = openTransfer(t, origin, await invite('scanner'))
  const viewer = await invite('viewer')
  const base = `/slides/${structure.slideId}`
  const slide = prepare()
  await transfer.door.announce(slide, signal)
  const look = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ level: 0, x: 2100, y: 100, width: 150, height: 150 }) }
  t.equal((await get(`${base}/viewport`, viewer, look)).status, 204)
  const { squares } = await transfer.door.wanted(structure.slideId, 0, signal)
  t.same(squares, [{ level: 0, square: 1 }])
  t.equal((await get(`${base}/tiles/0/8/0`, viewer)).status, 404)
  await transfer.carrier.putSquare(structure.slideId, (await slide.readSquare(0, 1))!, signal)
  const early = await get(`${base}/tiles/0/8/0`, viewer)
  t.equal(early.status, 200)
  t.equal(early.headers.get('cache-control'), 'no-store', 'its level may have another one')
  t.equal(early.headers.get('etag'), null)
  const bytes = Buffer.from(await early.arrayBuffer())
  t.ok(bytes.equals(tile(0, 8, 0)))
  const head = await verifySquareHead(early.headers.get('kenkyo-head')!, slide.key)
  t.match(head, { slideId: structure.slideId, level: 0, square: 1 })
  t.ok(await isTileProven({ level: 0, position: { column: 8, row: 0 }, bytes }, decodeProof(early.headers.get('kenkyo-proof')!), head.root))
  t.equal((await get(`${base}/tiles/0/0/0`, viewer)).status, 404, 'of another square')
  t.match(await (await get(`${base}/arrived`, viewer)).json(), { levels: [], squares: [{ level: 0, square: 1 }] })
  await t.rejects(new HttpsCarrier({ origin, token: viewer }, { clock: systemClock }).putSquare(structure.slideId, (await slide.readSquare(0, 1))!, signal), { code: 'grant_refused' })
  await t.rejects(transfer.carrier.putSquare(structure.slideId, Buffer.from('KSQ1'), signal), { code: 'bad_slide' })

  await new SlideSender({ ...transfer, slide: prepare() }).run(signal)
  const late = await get(`${base}/tiles/0/8/0`, viewer)
  t.equal(late.headers.get('kenkyo-head'), null)
  t.match(late.headers.get('cache-control'), /immutable/)
  t.ok(Buffer.from(await late.arrayBuffer()).equals(bytes))
  t.match(await (await get(`${base}/arrived`, viewer)).json(), { squares: [] })
})
