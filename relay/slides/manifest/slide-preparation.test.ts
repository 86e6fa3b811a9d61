import { createHash } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import { t } from 'tap'
import { RelayFault } from '../../wire/fault.ts'
import { SlideId } from '../../wire/ids.ts'
import { CHUNK_BYTES, tilesOf } from '../../wire/slide.ts'
import { ordinalOf, tileAt } from '../../wire/tile-order.ts'
import { decodeProof, encodeProof, isTileProven } from '../../wire/tile-proof.ts'
import { buildLevel } from './build-level.ts'
import { openSigningKey, sha256Of, verifyLevelHead, verifySlideHead } from './heads.ts'
import { LevelIndex } from './level-index.ts'
import { leafHash, proofOf, rootOf } from './merkle-tree.ts'
import { SlidePreparation } from './slide-preparation.ts'
import type { SlideLevel, SlideStructure } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'
import type { PreparedLevel } from '../transfer/transfer.ts'

const encoding = { compression: 'jpeg', photometric: 'ycbcr', tables: '' } as const
const level = (width: number, height: number): SlideLevel => ({ width, height, tileWidth: 256, tileHeight: 256, encoding, isMade: false })
const structure: SlideStructure = {
  version: 1, slideId: SlideId.parse('5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11'), format: 'tiff', pseudonym: 'ABCD-1234', micronsPerPixel: { x: 0.25, y: 0.25 },
  objectivePower: 40, levels: [level(7000, 5000), level(1750, 1250)], removed: [],
}

/** Bytes that only this tile has; every seventh is left out by the format, and one is larger than a chunk may be. */
function tileBytes(of: number, { column, row }: TilePosition): Buffer {
  if ((column + row) % 7 === 6) return Buffer.alloc(0)
  const seed = createHash('sha256').update(`${of} ${column} ${row}`).digest()
  return Buffer.alloc(of === 0 && column === 3 && row === 2 ? CHUNK_BYTES.most + 5 : 9000 + (seed[0] ?? 0) * 40, seed)
}

const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
const key = await openSigningKey(await exportJWK(privateKey))

function open(read = tileBytes): SlidePreparation {
  return new SlidePreparation({ structure, key, tiles: { readTile: (of, position) => Promise.resolve(read(of, position)), [Symbol.asyncDispose]: () => Promise.resolve() } })
}

async function levelsOf(slide: SlidePreparation): Promise<PreparedLevel[]> {
  const levels: PreparedLevel[] = []
  for await (const prepared of slide.levels(new AbortController().signal)) levels.push(prepared)
  return levels
}

t.test('every tile is found in its chunk again, and proves against the signed head of its level', async t => {
  const slide = open()
  const levels = await levelsOf(slide)
  t.same(levels.map(prepared => prepared.level), [1, 0], 'the coarsest first')
  for (const prepared of levels) {
    const shape = structure.levels[prepared.level] ?? level(1, 1)
    const head = await verifyLevelHead(prepared.head, slide.key)
    t.equal(head.index, sha256Of(prepared.indexBytes))
    t.equal(head.structure, sha256Of(slide.structureBytes))
    const { index } = prepared
    const roots = index.chunkRoots
    for (let chunk = 0; chunk < index.chunks; chunk++) {
      const body = await slide.readChunk(prepared, chunk)
      const { firstTile, tiles, length } = index.chunk(chunk)
      t.equal(body.length, length)
      const bytesOf = (ordinal: number): Buffer => {
        const { offset, length } = index.locate(ordinal)
        return body.subarray(offset, offset + length)
      }
      const leaves = Array.from({ length: tiles }, (_, place) => leafHash(prepared.level, tileAt(shape, firstTile + place), bytesOf(firstTile + place)))
      t.same(rootOf(leaves), index.chunk(chunk).root)
      const position = tileAt(shape, firstTile + (chunk % tiles))
      const bytes = bytesOf(ordinalOf(shape, position))
      t.ok(bytes.equals(tileBytes(prepared.level, position)))
      const proof = decodeProof(encodeProof([...proofOf(leaves, chunk % tiles), ...proofOf(roots, chunk)]))
      t.ok(await isTileProven({ level: prepared.level, position, bytes }, proof, head.root))
      const elsewhere = { ...position, column: position.column + 1 }
      t.notOk(await isTileProven({ level: prepared.level, position: elsewhere, bytes }, proof, head.root), 'not in another place')
      const changed = Buffer.concat([bytes, Buffer.from([0])])
      t.notOk(await isTileProven({ level: prepared.level, position, bytes: changed }, proof, head.root), 'not with a byte more')
    }
    t.equal(index.tiles, tilesOf(shape))
  }
  const whole = await verifySlideHead(await slide.head(), slide.key)
  t.equal(whole.roots.length, 2)
  t.equal(whole.slideId, structure.slideId)
})

t.test('chunks keep to their bounds, but for a tile that is longer alone', async t => {
  const levels = await levelsOf(open())
  const lengths = levels.flatMap(({ index }) => [...index.entries()].map(({ length, tiles }) => ({ length, tiles })))
  t.ok(lengths.every(({ length, tiles }) => length <= CHUNK_BYTES.most || tiles === 1))
  t.ok(lengths.some(({ length }) => length > CHUNK_BYTES.most))
})

t.test('tiles that are read in batches, or on another thread, make the same levels', async t => {
  const expected = (await levelsOf(open())).map(({ head }) => head)
  const inBatches = new SlidePreparation({ structure, key, tiles: {
    readTile: () => Promise.reject(new Error('one by one')),
    readTiles: (of, positions) => Promise.resolve(positions.slice(0, 5).map(position => tileBytes(of, position))),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  } })
  const levels = await levelsOf(inBatches)
  t.same(levels.map(({ head }) => head), expected)
  for (const prepared of levels) t.equal((await inBatches.readChunk(prepared, 1)).length, prepared.index.chunk(1).length)
  const built: number[] = []
  const tiles = { readTile: (of: number, position: TilePosition) => Promise.resolve(tileBytes(of, position)), [Symbol.asyncDispose]: () => Promise.resolve() }
  const elsewhere = new SlidePreparation({ structure, key, tiles, build: options => {
    built.push(options.level)
    return options.level === 0 ? buildLevel(tiles, options) : undefined
  } })
  t.same((await levelsOf(elsewhere)).map(({ head }) => head), expected)
  t.same(built, [1, 0])
})

t.test('levels of the file wait for a coarser one that is soon made, and for no other', async t => {
  for (const [side, order, first] of [[5000, [2, 1, 0], [2]], [12_000, [1, 0, 2], [1, 2]]] as const) {
    const levels = [level(60_000, 300), level(side, side), { ...level(437, 312), isMade: true }]
    const [made, began] = [Promise.withResolvers<undefined>(), new Set<number>()]
    const slide = new SlidePreparation({ structure: { ...structure, levels }, key, tiles: {
      readTile: async (of, position) => {
        began.add(of)
        if (of === 2) await made.promise
        return tileBytes(of, position)
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    } })
    const seen: number[] = []
    const ready = (async () => {
      for await (const prepared of slide.levels(new AbortController().signal)) {
        seen.push(prepared.level)
        if (prepared.level === 0) made.resolve(undefined)
      }
    })()
    await new Promise(setImmediate)
    t.same([...began].toSorted((a, b) => a - b), first)
    if (order[0] === 2) made.resolve(undefined)
    await ready
    t.same(seen, order)
    t.equal((await verifySlideHead(await slide.head(), slide.key)).roots.length, 3)
  }
})

t.test('a level that cannot be kept for later fails the slide, after it left', async t => {
  const full = new RelayFault('storage_full', 'no room')
  const tiles = { readTile: (of: number, position: TilePosition) => Promise.resolve(tileBytes(of, position)), [Symbol.asyncDispose]: () => Promise.resolve() }
  const slide = new SlidePreparation({ structure, key, tiles, cache: { get: () => Promise.resolve(undefined), put: () => Promise.reject(full) } })
  await t.rejects(levelsOf(slide), { code: 'storage_full' })
})

t.test('a head of another key, of another type, or changed is refused', async t => {
  const slide = open()
  const [first] = await levelsOf(slide)
  const other = await openSigningKey(await exportJWK((await generateKeyPair('EdDSA', { extractable: true })).privateKey))
  await t.rejects(verifyLevelHead(first?.head ?? '', other.publicKey), { code: 'signature_refused' })
  await t.rejects(verifyLevelHead(await slide.head(), slide.key), { code: 'signature_refused' })
  await t.rejects(verifySlideHead(first?.head ?? '', slide.key), { code: 'signature_refused' })
  const [header, payload, signature] = (first?.head ?? '').split('.')
  const forged = Buffer.from(payload ?? '', 'base64url').toString().replace('"level":1', '"level":0')
  await t.rejects(verifyLevelHead([header, Buffer.from(forged).toString('base64url'), signature].join('.'), slide.key), { code: 'signature_refused' })
})

t.test('a file that changes after it was read is noticed', async t => {
  let isChanged = false
  const slide = open((of, position) => (isChanged ? Buffer.from('other') : tileBytes(of, position)))
  const [first] = await levelsOf(slide)
  isChanged = true
  if (first !== undefined) await t.rejects(slide.readChunk(first, 0), { code: 'bad_slide' })
})

t.test('an index that contradicts its level or itself is refused, whatever its bytes', async t => {
  const [coarse] = await levelsOf(open())
  const bytes = coarse?.indexBytes ?? Buffer.alloc(0)
  const shape = structure.levels[1] ?? level(1, 1)
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes)
    copy.writeUInt32BE(value, at)
    return copy
  }
  for (const [name, wrong, of] of [
    ['another magic', changed(0, 1), shape], ['more tiles', changed(4, 36), shape], ['more chunks', changed(8, 99), shape], ['no chunks', changed(8, 0), shape],
    ['cut off', bytes.subarray(0, -1), shape], ['longer', Buffer.concat([bytes, Buffer.of(0)]), shape], ['of another level', bytes, level(99, 99)],
    ['empty chunk', changed(12 + 64, 0), shape], ['all tiles in one and more', changed(12 + 64, 0xffff_ffff), shape], ['a tile too long', changed(bytes.length - 4, 0x7fff_ffff), shape],
    ['nothing', Buffer.alloc(0), shape],
  ] as const) {
    t.throws(() => LevelIndex.decode(wrong, of), { code: 'bad_slide' }, name)
  }
  let random = 1
  for (let round = 0; round < 3000; round++) {
    const copy = Buffer.from(bytes)
    for (let count = 0; count < 3; count++) {
      random = (random * 1103515245 + 12345) >>> 0
      copy[random % copy.length] = (random >>> 16) & 0xff
    }
    try {
      const index = LevelIndex.decode(copy, shape)
      for (let ordinal = 0; ordinal < index.tiles; ordinal++) index.locate(ordinal)
    } catch (error) {
      if (!(error instanceof RelayFault)) throw error
    }
  }
})
