import { createHash, randomBytes } from 'node:crypto'
import { t } from 'tap'
import { ALICE, testSlide } from '../../../bench/slides/test-slide.ts'
import { refuses } from '../../../test/contract/slide-store.ts'
import { MemorySlideStore } from '../../../test/fakes/memory-slide-store.ts'
import { isTileProven } from '../../wire/tile-proof.ts'
import { tileAt } from '../../wire/tile-order.ts'
import { tilesOf } from '../../wire/slide.ts'
import { LevelBuilder } from '../manifest/level-builder.ts'
import { LevelIndex } from '../manifest/level-index.ts'
import { TileService } from './tile-service.ts'
import type { SlideLevel } from '../../wire/slide.ts'
import type { Sha256, SlideId } from '../../wire/ids.ts'
import type { SlideStore } from '../store/slide-store.ts'

const SHAPE: SlideLevel = { width: 5000, height: 4000, tileWidth: 256, tileHeight: 256, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' }, isMade: false }

/** A slide of one level, with its tiles in their order and its chunks. */
function makeSlide(): { readonly slide: ReturnType<typeof testSlide>; readonly tiles: Buffer[]; readonly bodies: Map<Sha256, Buffer>; readonly index: LevelIndex; readonly indexBytes: Buffer } {
  const plain = testSlide()
  const structure = { ...plain.structure, levels: [SHAPE] }
  const slide = { ...plain, structure, structureBytes: Buffer.from(JSON.stringify(structure)) }
  const tiles = Array.from({ length: tilesOf(SHAPE) }, (_, ordinal) => randomBytes(ordinal % 7 === 0 ? 0 : 5000 + ordinal * 10))
  const builder = new LevelBuilder(0, SHAPE)
  for (const tile of tiles) builder.add(tile)
  const indexBytes = builder.finish()
  const index = LevelIndex.decode(indexBytes, SHAPE)
  const bodies = new Map([...index.entries()].map(({ sha256, firstTile, tiles: count }) => [sha256, Buffer.concat(tiles.slice(firstTile, firstTile + count))]))
  return { slide, tiles, bodies, index, indexBytes }
}

async function announce(store: SlideStore, { slide, index, indexBytes }: ReturnType<typeof makeSlide>): Promise<SlideId> {
  await store.createSlide(slide)
  await store.putLevel(slide.slideId, { level: 0, index: indexBytes, head: 'head' }, [...index.entries()])
  return slide.slideId
}

t.test('every tile comes as it was stored, with a proof that holds for its place and no other', async t => {
  await using store = new MemorySlideStore()
  using service = new TileService(store)
  const made = makeSlide()
  const slideId = await announce(store, made)
  for (const [sha256, body] of made.bodies) await store.putChunk(ALICE, sha256, body)
  const root = Buffer.from(made.index.root).toString('hex')
  t.ok(made.index.chunks > 2)
  await Promise.all(made.tiles.map(async (tile, ordinal) => {
    const position = tileAt(SHAPE, ordinal)
    const { bytes, proof } = await service.tile(slideId, 0, position)
    if (!bytes.equals(tile)) t.fail(`another tile at ${ordinal}`)
    if (!(await isTileProven({ level: 0, position, bytes }, proof, root))) t.fail(`no proof of ${ordinal}`)
    if (await isTileProven({ level: 0, position: { ...position, row: position.row + 1 }, bytes }, proof, root)) t.fail(`a proof of another place of ${ordinal}`)
  }))
})

t.test('what is not here yet is not found, and is found once its chunk came', async t => {
  await using store = new MemorySlideStore()
  using service = new TileService(store)
  const made = makeSlide()
  const { slideId } = made.slide
  const tile = (column: number, row: number, level = 0): Promise<unknown> => service.tile(slideId, level, { column, row })
  await refuses(t, tile(0, 0), 'not_found')
  t.throws(() => service.arrived(slideId), { code: 'not_found' })
  await store.createSlide(made.slide)
  await refuses(t, tile(0, 0), 'not_found')
  await announce(store, made)
  await refuses(t, tile(0, 0), 'not_found')
  await refuses(t, tile(0, 0, 1), 'not_found')
  for (const [column, row] of [[20, 0], [0, 16], [-1, 0], [0.5, 0], [Number.NaN, 0]] as const) await refuses(t, tile(column, row), 'out_of_range')
  const first = made.index.chunk(0)
  await store.putChunk(ALICE, first.sha256, made.bodies.get(first.sha256)!)
  await tile(0, 0)
  await refuses(t, tile(19, 15), 'not_found')
  await store.deleteSlide(slideId)
  await refuses(t, tile(0, 0), 'not_found')
})

t.test('what has arrived is kept chunk by chunk', async t => {
  await using store = new MemorySlideStore()
  using service = new TileService(store)
  const made = makeSlide()
  const slideId = await announce(store, made)
  const { chunks, length } = made.index
  const [first, last] = [made.index.chunk(0), made.index.chunk(chunks - 1)]
  await store.putChunk(ALICE, first.sha256, made.bodies.get(first.sha256)!)
  t.match(service.arrived(slideId), [{ level: 0, chunks, chunksHere: 1, bytes: length, bytesHere: first.length }])
  await store.putChunk(ALICE, last.sha256, made.bodies.get(last.sha256)!)
  const [level] = service.arrived(slideId)
  t.match(level, { chunksHere: 2, bytesHere: first.length + last.length })
  const set = Array.from({ length: chunks }, (_, index) => index).filter(index => (level!.bits[index >> 3]! & (1 << (index & 7))) !== 0)
  t.same(set, [0, chunks - 1])
})

t.test('a chunk whose tiles are not those of the signed root gives no tile', async t => {
  await using store = new MemorySlideStore()
  using service = new TileService(store)
  const made = makeSlide()
  const slideId = await announce(store, made)
  const { sha256, length } = made.index.chunk(0)
  await store.putChunk(ALICE, sha256, randomBytes(length))
  await refuses(t, service.tile(slideId, 0, { column: 1, row: 0 }), 'not_found')
  await store.verify(() => undefined)
  t.match(service.arrived(slideId), [{ chunksHere: 0, bytesHere: 0 }])
  await store.putChunk(ALICE, sha256, made.bodies.get(sha256)!)
  t.equal(createHash('sha256').update((await service.tile(slideId, 0, { column: 1, row: 0 })).bytes).digest('hex'), createHash('sha256').update(made.tiles[1]!).digest('hex'))
  t.match(service.arrived(slideId), [{ chunksHere: 1 }])
})

t.test('caches too small for anything cost time and nothing else', async t => {
  await using store = new MemorySlideStore()
  using service = new TileService(store, { indexCacheBytes: 1, treeCacheBytes: 1, watchedSlides: 1 })
  const made = makeSlide()
  const slideId = await announce(store, made)
  for (const [sha256, body] of made.bodies) await store.putChunk(ALICE, sha256, body)
  for (let round = 0; round < 3; round++) t.ok((await service.tile(slideId, 0, { column: 1, row: 0 })).bytes.equals(made.tiles[1]!))
})
