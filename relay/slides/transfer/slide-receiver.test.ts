import { randomBytes } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import { t } from 'tap'
import { MemorySlideStore } from '../../../test/fakes/memory-slide-store.ts'
import { systemClock } from '../../runtime/clock.ts'
import { RelayFault } from '../../wire/fault.ts'
import { ConsultationId, MemberId, SlideId } from '../../wire/ids.ts'
import { tilesOf } from '../../wire/slide.ts'
import { tileAt } from '../../wire/tile-order.ts'
import { openSigningKey, sha256Of } from '../manifest/heads.ts'
import { LevelIndex } from '../manifest/level-index.ts'
import { leafHash, rootOf } from '../manifest/merkle-tree.ts'
import { SlidePreparation } from '../manifest/slide-preparation.ts'
import { encodeSquare } from '../manifest/square-message.ts'
import { leavesOf, SQUARES_AT_ONCE, SquareShelf } from '../tiles/square-shelf.ts'
import { TileService } from '../tiles/tile-service.ts'
import { SlideCatalogue } from './slide-catalogue.ts'
import { RECEIVER_LIMITS, SlideReceiver } from './slide-receiver.ts'
import { WantedRegistry } from './wanted-registry.ts'
import type { Test } from 'tap'
import type { FaultCode } from '../../wire/fault.ts'
import type { Sha256 } from '../../wire/ids.ts'
import type { ArrivedTiles } from '../../wire/slide-sharing.ts'
import type { LevelHead, SlideLevel, SlideStructure, SquareHead } from '../../wire/slide.ts'
import type { PreparedLevel } from './transfer.ts'

const source = { consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('scanner') }
const encoding = { compression: 'jpeg', photometric: 'ycbcr', tables: '' } as const
const shape = (width: number, height: number): SlideLevel => ({ width, height, tileWidth: 256, tileHeight: 256, encoding, isMade: false })
const newKey = async () => openSigningKey(await exportJWK((await generateKeyPair('EdDSA', { extractable: true })).privateKey))
const [key, otherKey] = [await newKey(), await newKey()]
const filler = randomBytes(20_000)
const signal = new AbortController().signal

async function setUp(quotaBytes = 2 ** 40) {
  const structure: SlideStructure = {
    version: 1, slideId: SlideId.parse(crypto.randomUUID()), format: 'tiff', pseudonym: 'ABCD-1234', micronsPerPixel: null, objectivePower: null, levels: [shape(4000, 3000), shape(1000, 750)], removed: [],
  }
  const readTile = (level: number, { column, row }: { column: number; row: number }): Promise<Buffer> => Promise.resolve(Buffer.concat([Buffer.from(`${level}/${column}/${row}`), filler]))
  const slide = new SlidePreparation({ structure, key, tiles: { readTile, [Symbol.asyncDispose]: () => Promise.resolve() } })
  const levels: PreparedLevel[] = []
  for await (const level of slide.levels(signal)) levels.push(level)
  const store = new MemorySlideStore({ quotaBytes })
  const [tiles, wanted] = [new TileService(store), new WantedRegistry(1)]
  const changes: string[] = []
  const seen: ArrivedTiles[] = []
  const catalogue = new SlideCatalogue(store, tiles)
  const squares = new SquareShelf()
  const receiver = new SlideReceiver({ catalogue, wanted, squares, clock: systemClock, onChange: id => changes.push(id), onWanted: (_id, arrived) => seen.push(arrived) })
  const announce = () => receiver.announce(source, slide.structureBytes, slide.key)
  const putLevels = async (): Promise<void> => {
    for (const { level, indexBytes, head } of levels) await receiver.putLevel(source, structure.slideId, level, indexBytes, head)
  }
  const putChunks = async (): Promise<void> => {
    for (const level of levels) for (let chunk = 0; chunk < level.index.chunks; chunk++) await receiver.putChunk(source, structure.slideId, level.index.chunk(chunk).sha256, await slide.readChunk(level, chunk))
  }
  return { structure, slideId: structure.slideId, slide, levels, store, wanted, squares, receiver, catalogue, changes, seen, announce, putLevels, putChunks }
}

const rejects = (t: Test, promise: Promise<unknown>, code: FaultCode, message: string = code) => t.rejects(promise, { name: 'RelayFault', code }, message)

t.test('takes a whole slide, each step as often as it comes', async t => {
  const { receiver, slideId, slide, store, changes, announce, putLevels, putChunks } = await setUp()
  for (let turn = 0; turn < 2; turn++) {
    await announce()
    await putLevels()
    await putChunks()
    await receiver.complete(source, slideId, await slide.head())
  }
  t.equal(store.slide(slideId)?.state, 'complete')
  t.ok(changes.length > 4 && changes.every(id => id === source.consultationId))
})

t.test('tells of the tiles that come where somebody looks, and of no others', async t => {
  const { receiver, slideId, slide, levels, wanted, seen, announce, putLevels } = await setUp()
  await announce()
  await putLevels()
  const finest = levels.find(({ level }) => level === 0)!
  const put = async (chunk: number) => receiver.putChunk(source, slideId, finest.index.chunk(chunk).sha256, await slide.readChunk(finest, chunk))
  wanted.look(slideId, 'reader', { level: 0, x: 10, y: 10, width: 100, height: 100 }, systemClock.now())
  await put(finest.index.chunks - 1)
  t.same(seen, [])
  await put(0)
  t.same(seen, [{ slideId, level: 0, firstTile: 0, tiles: finest.index.chunk(0).tiles, signedBy: 'level' }])
  await put(0)
  t.equal(seen.length, 1, 'nor twice of what is sent twice')
  wanted.look(slideId, 'reader', { level: 0, x: 0, y: 0, width: 4000, height: 3000 }, systemClock.now())
  wanted.leave(slideId, 'reader')
  await put(1)
  t.equal(seen.length, 1)
})

t.test('refuses structures that are none, or that lie about their size', async t => {
  const { receiver, slide, structure } = await setUp()
  const announce = (bytes: Buffer, by: unknown = slide.key) => receiver.announce(source, bytes, by)
  const huge = (change: object) => Buffer.from(JSON.stringify({ ...structure, ...change }))
  const table: readonly (readonly [string, Buffer, unknown?])[] = [
    ['nothing', Buffer.alloc(0)],
    ['not JSON', Buffer.from('{')],
    ['another form', huge({ extra: 1 })],
    ['another version', huge({ version: 2 })],
    ['an id that is a path', huge({ slideId: '../../etc/passwd' })],
    ['a billion tiles', huge({ levels: [{ ...shape(2 ** 24, 2 ** 24), tileWidth: 1, tileHeight: 1 }] })],
    ['a level without pixels', huge({ levels: [shape(0, 10)] })],
    ['no level', huge({ levels: [] })],
    ['more than a structure may be', Buffer.alloc(RECEIVER_LIMITS.structureBytes + 1, 0x20)],
    ['a key that is none', slide.structureBytes, { kty: 'oct' }],
    ['a private key', slide.structureBytes, { ...slide.key, d: 'x' }],
  ]
  for (const [what, bytes, by] of table) await rejects(t, announce(bytes, by), 'bad_slide', what)
})

t.test('one id is one slide: of one owner, consultation, key and structure', async t => {
  const { receiver, slide, structure, announce } = await setUp()
  await announce()
  const { structureBytes, key: by } = slide
  await rejects(t, receiver.announce({ ...source, memberId: MemberId.parse('other') }, structureBytes, by), 'conflict')
  await rejects(t, receiver.announce({ ...source, consultationId: ConsultationId.parse('case-2') }, structureBytes, by), 'conflict')
  await rejects(t, receiver.announce(source, structureBytes, otherKey.publicKey), 'conflict')
  await rejects(t, receiver.announce(source, Buffer.from(JSON.stringify({ ...structure, pseudonym: 'WXYZ-1234' })), by), 'conflict')
})

t.test('a consultation has only so many slides', async t => {
  const { receiver, structure, slide } = await setUp()
  const announce = () => receiver.announce(source, Buffer.from(JSON.stringify({ ...structure, slideId: crypto.randomUUID() })), slide.key)
  for (let turn = 0; turn < RECEIVER_LIMITS.slidesOfConsultation; turn++) await announce()
  await rejects(t, announce(), 'quota_exceeded')
})

t.test('a level is believed only if its head is signed by the key of its slide and signs exactly that', async t => {
  const { receiver, slideId, slide, levels, announce } = await setUp()
  await announce()
  const { indexBytes, index, head } = levels[1]!
  const right: LevelHead = { slideId, level: 0, tiles: index.tiles, root: Buffer.from(index.root).toString('hex') as Sha256, index: sha256Of(indexBytes), structure: sha256Of(slide.structureBytes) }
  const zeros = '0'.repeat(64) as Sha256
  const put = (jws: string, level = 0, bytes = indexBytes) => receiver.putLevel(source, slideId, level, bytes, jws)
  const wrong: readonly (readonly [string, Partial<LevelHead>])[] = [
    ['another slide', { slideId: SlideId.parse(crypto.randomUUID()) }], ['another level', { level: 1 }], ['another number of tiles', { tiles: index.tiles + 1 }],
    ['another root', { root: zeros }], ['another index', { index: zeros }], ['another structure', { structure: zeros }],
  ]
  for (const [what, change] of wrong) await rejects(t, put(await key.signLevel({ ...right, ...change })), 'signature_refused', what)
  await rejects(t, put(await otherKey.signLevel(right)), 'signature_refused', 'another key')
  await rejects(t, put(await slide.head()), 'signature_refused', 'a slide head')
  await rejects(t, put('not.a.jws'), 'signature_refused')
  const [header = '', , signature = ''] = head.split('.')
  await rejects(t, put(`${header}.${Buffer.from(JSON.stringify({ ...right, tiles: 1 })).toString('base64url')}.${signature}`), 'signature_refused', 'another payload')
  const unsigned = `${Buffer.from('{"alg":"none","typ":"kenkyo-level-head"}').toString('base64url')}.${Buffer.from(JSON.stringify(right)).toString('base64url')}.`
  await rejects(t, put(unsigned), 'signature_refused', 'no signature')
  await rejects(t, put(head, 1), 'bad_slide', 'an index for another level')
  await rejects(t, put(head, 7), 'out_of_range')
  await rejects(t, put(head, 0, indexBytes.subarray(1)), 'bad_slide', 'a cut index')
  await put(head)
})

t.test('another index for a level that is known is refused, though it is signed', async t => {
  const { receiver, slideId, slide, levels, announce, putLevels } = await setUp()
  await announce()
  await putLevels()
  const level = levels[1]!
  const root = randomBytes(32)
  const chunks = [...level.index.entries()].map(chunk => ({ sha256: Buffer.from(chunk.sha256, 'hex'), root, tileLengths: Array.from({ length: chunk.tiles }, (_, turn) => level.index.lengthOf(chunk.firstTile + turn)) }))
  const indexBytes = LevelIndex.encode(chunks)
  const index = LevelIndex.decode(indexBytes, shape(4000, 3000))
  const head = await key.signLevel({ slideId, level: 0, tiles: index.tiles, root: Buffer.from(index.root).toString('hex') as Sha256, index: sha256Of(indexBytes), structure: sha256Of(slide.structureBytes) })
  await rejects(t, receiver.putLevel(source, slideId, 0, indexBytes, head), 'conflict')
})

t.test('a chunk is believed only if it hashes to its name, and its tiles to what the index says', async t => {
  const { receiver, slideId, slide, levels, store, announce, putLevels } = await setUp()
  await announce()
  const level = levels[0]!
  const { sha256 } = level.index.chunk(0)
  const body = await slide.readChunk(level, 0)
  await rejects(t, receiver.putChunk(source, slideId, sha256, body), 'not_found', 'before its level')
  await putLevels()
  const damaged = Buffer.from(body)
  damaged[100] = (damaged[100] ?? 0) ^ 1
  await rejects(t, receiver.putChunk(source, slideId, sha256, damaged), 'hash_mismatch')
  await rejects(t, receiver.putChunk(source, slideId, sha256, body.subarray(1)), 'hash_mismatch')
  await rejects(t, receiver.putChunk(source, slideId, sha256Of(damaged), damaged), 'not_found', 'no chunk of the slide')
  await rejects(t, receiver.putChunk({ ...source, memberId: MemberId.parse('other') }, slideId, sha256, body), 'grant_refused')
  await rejects(t, receiver.putChunk(source, SlideId.parse(crypto.randomUUID()), sha256, body), 'not_found')
  t.equal(store.usage().chunks, 0)
  t.equal(receiver.expect(source, slideId, sha256), body.length)
})

t.test('an index that lies about the tiles of a chunk is found out when the chunk arrives', async t => {
  const { receiver, slideId, slide, structure, announce } = await setUp()
  await announce()
  const level = structure.levels[1]!
  const tiles = Array.from({ length: tilesOf(level) }, (_, turn) => Buffer.from(`tile ${turn}`))
  const body = Buffer.concat(tiles)
  const leaves = tiles.map((tile, turn) => leafHash(1, tileAt(level, turn), tile))
  const put = async (lengths: readonly number[], root: Uint8Array): Promise<string> => {
    const indexBytes = LevelIndex.encode([{ sha256: Buffer.from(sha256Of(body), 'hex'), root, tileLengths: lengths }])
    const index = LevelIndex.decode(indexBytes, level)
    const head = await key.signLevel({ slideId, level: 1, tiles: index.tiles, root: Buffer.from(index.root).toString('hex') as Sha256, index: sha256Of(indexBytes), structure: sha256Of(slide.structureBytes) })
    await receiver.putLevel(source, slideId, 1, indexBytes, head)
    return receiver.putChunk(source, slideId, sha256Of(body), body)
  }
  await rejects(t, put(tiles.map((tile, turn) => tile.length + (turn === 0 ? 1 : turn === 1 ? -1 : 0)), rootOf(leaves)), 'bad_slide', 'other lengths, the same sum')
})

t.test('a slide is complete only with all levels, all chunks, and a head that signs just these', async t => {
  const { receiver, slideId, slide, structure, announce, putLevels, putChunks } = await setUp()
  await announce()
  const head = await slide.head()
  await rejects(t, receiver.complete(source, slideId, head), 'wrong_state', 'no level')
  await putLevels()
  await rejects(t, receiver.complete(source, slideId, head), 'wrong_state', 'no chunk')
  await putChunks()
  const roots = structure.levels.map(() => '0'.repeat(64) as Sha256)
  await rejects(t, receiver.complete(source, slideId, await key.signSlide({ slideId, structure: sha256Of(slide.structureBytes), roots })), 'signature_refused')
  await rejects(t, receiver.complete(source, slideId, head.slice(0, -4)), 'signature_refused')
  await receiver.complete(source, slideId, head)
})

t.test('a slide beyond the quota is refused before its bytes are sent', async t => {
  const { announce, putLevels } = await setUp(100_000)
  await announce()
  await rejects(t, putLevels(), 'quota_exceeded')
})

t.test('tells a scanner of what viewers miss, without what is here, as soon as it changes', async t => {
  const { receiver, slideId, slide, levels, wanted, announce, putLevels } = await setUp()
  await announce()
  await putLevels()
  const first = await receiver.wanted(source, slideId, 0, signal)
  t.same(first.chunks, [])
  const waiting = receiver.wanted(source, slideId, first.serial, signal)
  wanted.look(slideId, 'doctor', { level: 0, x: 3500, y: 2500, width: 400, height: 400 }, systemClock.now())
  const second = await waiting
  t.ok(second.serial > first.serial)
  const level = levels.find(({ level: of }) => of === 0)!
  t.same(second.chunks.map(({ level: of }) => of), second.chunks.map(() => 0))
  t.ok(second.chunks.some(({ chunk }) => chunk === level.index.chunks - 1))
  for (const { chunk } of second.chunks) await receiver.putChunk(source, slideId, level.index.chunk(chunk).sha256, await slide.readChunk(level, chunk))
  t.same((await receiver.wanted(source, slideId, 0, signal)).chunks, [])
})

t.test('who stops waiting is let go', async t => {
  const { receiver, slideId, announce } = await setUp()
  await announce()
  const { serial } = await receiver.wanted(source, slideId, 0, signal)
  const stop = new AbortController()
  const waiting = receiver.wanted(source, slideId, serial, stop.signal)
  stop.abort(new RelayFault('unavailable', 'gone'))
  await rejects(t, waiting, 'unavailable')
})

t.test('memory for chunks is bounded', async t => {
  const { receiver } = await setUp()
  const release = receiver.memory.take(RECEIVER_LIMITS.chunkMemoryBytes - 10)
  t.throws(() => receiver.memory.take(11), { code: 'overloaded' })
  release()
  release()
  t.equal(receiver.memory.held, 0)
  receiver.memory.take(11)()
})

t.test('heat shows which squares have arrived, however chunks and squares lie', async t => {
  const { catalogue, receiver, slideId, slide, levels, announce, putLevels } = await setUp()
  await announce()
  await putLevels()
  const heatOf = (level: number): number[] => [...catalogue.arrived(slideId).find(it => it.level === level)!.heat]
  t.same(heatOf(0), [0, 0, 0, 0])
  const level = levels.find(({ level: of }) => of === 0)!
  for (let chunk = 0; chunk < level.index.chunks; chunk++) {
    const before = heatOf(0).reduce((sum, value) => sum + value, 0)
    await receiver.putChunk(source, slideId, level.index.chunk(chunk).sha256, await slide.readChunk(level, chunk))
    t.ok(heatOf(0).reduce((sum, value) => sum + value, 0) > before)
  }
  t.same(heatOf(0), [255, 255, 255, 255])
})

/** The message of a square with these tiles, signed; `change` lies in its head. */
async function squareOf(slide: SlidePreparation, { level, square, tiles }: { readonly level: number; readonly square: number; readonly tiles: readonly Buffer[] }, change: Partial<SquareHead> = {}, by = key): Promise<Buffer> {
  const root = Buffer.from(rootOf(leavesOf(slide.structure.levels[level]!, { level, square, tiles }))).toString('hex') as Sha256
  const head = await by.signSquare({ slideId: slide.structure.slideId, level, square, root, structure: sha256Of(slide.structureBytes), ...change })
  return encodeSquare({ level, square, head, tiles })!
}

t.test('asks for squares of levels that it does not know, the middle of the view first, and for none that it has', async t => {
  const { receiver, slideId, slide, levels, wanted, seen, announce } = await setUp()
  await announce()
  const asked = async () => (await receiver.wanted(source, slideId, 0, signal)).squares
  wanted.look(slideId, 'reader', { level: 0, x: 2100, y: 100, width: 500, height: 300 }, systemClock.now())
  t.same(await asked(), [{ level: 0, square: 1 }])
  wanted.look(slideId, 'reader', { level: 0, x: 1800, y: 100, width: 900, height: 300 }, systemClock.now())
  t.same(await asked(), [{ level: 0, square: 1 }, { level: 0, square: 0 }])
  t.equal(await receiver.putSquare(source, slideId, (await slide.readSquare(0, 1))!), 'stored')
  t.same(await asked(), [{ level: 0, square: 0 }])
  t.same(seen, [{ slideId, level: 0, firstTile: 64, tiles: 64, signedBy: 'square' }])
  const { indexBytes, head } = levels.find(({ level }) => level === 0)!
  await receiver.putLevel(source, slideId, 0, indexBytes, head)
  t.same(await asked(), [])
  t.equal(await receiver.putSquare(source, slideId, (await slide.readSquare(0, 0))!), 'known')
})

t.test('a viewport over everything asks for no more squares than are held, however many are there', async t => {
  const { receiver, slideId, slide, structure, wanted, squares } = await setUp()
  const wide = { ...structure, levels: [shape(40_000, 30_000)] }
  await receiver.announce(source, Buffer.from(JSON.stringify(wide)), slide.key)
  wanted.look(slideId, 'reader', { level: 0, x: 0, y: 0, width: 40_000, height: 30_000 }, systemClock.now())
  const first = (await receiver.wanted(source, slideId, 0, signal)).squares
  t.equal(first.length, SQUARES_AT_ONCE)
  const content = { ...first[0]!, head: '', tiles: Array.from({ length: 64 }, () => Buffer.of(1)) }
  squares.put(slideId, wide.levels[0]!, content, leavesOf(wide.levels[0]!, content))
  t.same((await receiver.wanted(source, slideId, 0, signal)).squares, first.slice(1))
})

t.test('a square is believed only if its head is signed by the key of its slide and signs exactly that', async t => {
  const { receiver, slideId, slide, squares, announce } = await setUp()
  await announce()
  const tiles = Array.from({ length: 64 }, (_, turn) => Buffer.from(`tile ${turn}`))
  const put = (message: Buffer) => receiver.putSquare(source, slideId, message)
  const zeros = '0'.repeat(64) as Sha256
  const wrong: readonly (readonly [string, Partial<SquareHead>])[] = [
    ['another slide', { slideId: SlideId.parse(crypto.randomUUID()) }], ['another level', { level: 1 }], ['another square', { square: 1 }], ['another root', { root: zeros }], ['another structure', { structure: zeros }],
  ]
  for (const [what, change] of wrong) await rejects(t, put(await squareOf(slide, { level: 0, square: 0, tiles }, change)), 'signature_refused', what)
  await rejects(t, put(await squareOf(slide, { level: 0, square: 0, tiles }, {}, otherKey)), 'signature_refused', 'another key')
  await rejects(t, put(encodeSquare({ level: 0, square: 0, head: await slide.head(), tiles })!), 'signature_refused', 'a slide head')
  await rejects(t, put(Buffer.alloc(100)), 'bad_slide')
  await rejects(t, receiver.putSquare({ ...source, memberId: MemberId.parse('other') }, slideId, await squareOf(slide, { level: 0, square: 0, tiles })), 'grant_refused')
  t.same(squares.held(slideId), [])
})

t.test('squares that their level does not bear out are withdrawn, and what said otherwise is refused, once', async t => {
  const { receiver, slideId, slide, levels, wanted, seen, squares, announce, putLevels } = await setUp()
  await announce()
  wanted.look(slideId, 'reader', { level: 0, x: 0, y: 0, width: 100, height: 100 }, systemClock.now())
  const finest = levels.find(({ level }) => level === 0)!
  const honest = Array.from({ length: 64 }, (_, turn) => Buffer.concat([Buffer.from(`0/${turn % 8}/${Math.floor(turn / 8)}`), filler]))
  const withdrawn = { slideId, level: 0, firstTile: 0, tiles: 64, signedBy: 'none' }
  await receiver.putSquare(source, slideId, await squareOf(slide, { level: 0, square: 0, tiles: honest.with(9, Buffer.from('shorter')) }))
  await rejects(t, putLevels(), 'bad_slide')
  t.same(squares.held(slideId), [])
  t.same(seen.at(-1), withdrawn)
  const other = Buffer.from(honest[9]!)
  other[500] = other[500]! ^ 1
  await receiver.putSquare(source, slideId, await squareOf(slide, { level: 0, square: 0, tiles: honest.with(9, other) }))
  await putLevels()
  const chunk = finest.index.chunkOf(9)
  const put = async () => receiver.putChunk(source, slideId, finest.index.chunk(chunk).sha256, await slide.readChunk(finest, chunk))
  await rejects(t, put(), 'bad_slide')
  t.same(squares.held(slideId), [])
  t.same(seen.at(-1), withdrawn)
  t.equal(await put(), 'stored')
})
