import { randomBytes, randomUUID } from 'node:crypto'
import { ALICE, chunkOf, randomChunk, testSlide, withSlide } from '../../bench/slides/test-slide.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { Test } from 'tap'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { SlideStore, StoreDefect } from '../../relay/slides/store/slide-store.ts'
import type { ConsultationId, MemberId, Sha256, SlideId } from '../../relay/wire/ids.ts'

/** Opens an empty store; the suite disposes of it. */
export type StoreFactory = (t: Test, quotaBytes: number) => Promise<SlideStore>

export const BOB = 'bob' as MemberId
const CASE = 'case-1' as ConsultationId
const MIB = 1024 * 1024

/** Refused with this code, and with no other. */
export async function refuses(t: Test, promise: Promise<unknown>, code: FaultCode): Promise<void> {
  const error = await promise.then(() => undefined, (thrown: unknown) => thrown)
  t.equal(error instanceof RelayFault ? error.code : error, code)
}

/** What every slide store has to do, whatever it stands on. */
export function slideStoreContract(t: Test, name: string, open: StoreFactory): void {
  const check = (sentence: string, run: (t: Test, store: SlideStore) => Promise<void>, quotaBytes = 64 * MIB): void => {
    t.test(`${name}: ${sentence}`, async t => {
      await using store = await open(t, quotaBytes)
      await run(t, store)
    })
  }

  check('keeps a slide as it came, and lists those of a consultation, oldest first', async (t, store) => {
    const [first, second, other] = [testSlide(), testSlide({ levels: 3 }), testSlide({ consultationId: 'case-2' as ConsultationId })]
    for (const slide of [first, second, other]) await store.createSlide(slide)
    t.has(store.slide(second.slideId), { owner: ALICE, state: 'arriving', structure: second.structure, key: second.key })
    t.ok(store.slide(second.slideId)?.structureBytes.equals(second.structureBytes))
    t.same(store.slidesOf(CASE).map(({ slideId }) => slideId), [first.slideId, second.slideId])
    t.equal(store.slide(randomUUID() as SlideId), undefined)
  })

  check('takes the same slide again, and refuses another under its id', async (t, store) => {
    const slide = testSlide()
    await store.createSlide(slide)
    await store.createSlide(slide)
    await refuses(t, store.createSlide({ ...slide, owner: BOB }), 'conflict')
    await refuses(t, store.createSlide({ ...slide, structureBytes: Buffer.from('{}') }), 'conflict')
    t.equal(store.slidesOf(CASE).length, 1)
  })

  check('keeps levels, takes the same again and refuses another index', async (t, store) => {
    const slide = testSlide({ levels: 3 })
    const chunks = [randomChunk(100)]
    await store.createSlide(slide)
    await store.putLevel(slide.slideId, { level: 2, index: Buffer.from('two'), head: 'h2' }, chunks)
    await store.putLevel(slide.slideId, { level: 0, index: Buffer.from('zero'), head: 'h0' }, chunks)
    await store.putLevel(slide.slideId, { level: 2, index: Buffer.from('two'), head: 'h2' }, chunks)
    await refuses(t, store.putLevel(slide.slideId, { level: 2, index: Buffer.from('owt'), head: 'h2' }, chunks), 'conflict')
    await refuses(t, store.putLevel(slide.slideId, { level: 3, index: Buffer.from('x'), head: 'h' }, chunks), 'out_of_range')
    await refuses(t, store.putLevel(randomUUID() as SlideId, { level: 0, index: Buffer.from('x'), head: 'h' }, chunks), 'not_found')
    t.same(store.levels(slide.slideId), [0, 2])
    t.same(store.level(slide.slideId, 2), { level: 2, index: Buffer.from('two'), head: 'h2' })
    t.equal(store.level(slide.slideId, 1), undefined)
  })

  check('stores a chunk once and reads any part of it', async (t, store) => {
    const chunk = randomChunk(300_000)
    await withSlide(store, [chunk])
    t.same(store.hasChunks(ALICE, [chunk.sha256]), [false])
    await refuses(t, store.readChunk(ALICE, chunk.sha256, 0, 1), 'not_found')
    t.equal(await store.putChunk(ALICE, chunk.sha256, chunk.body), 'stored')
    t.equal(await store.putChunk(ALICE, chunk.sha256, chunk.body), 'known')
    t.same(store.hasChunks(ALICE, [randomChunk(1).sha256, chunk.sha256]), [false, true])
    t.ok((await store.readChunk(ALICE, chunk.sha256, 0, chunk.length)).equals(chunk.body))
    t.ok((await store.readChunk(ALICE, chunk.sha256, 123_456, 7890)).equals(chunk.body.subarray(123_456, 131_346)))
    t.equal((await store.readChunk(ALICE, chunk.sha256, chunk.length, 0)).length, 0)
    for (const [offset, length] of [[0, chunk.length + 1], [-1, 2], [chunk.length, 1], [0.5, 1], [0, Number.NaN]] as const) {
      await refuses(t, store.readChunk(ALICE, chunk.sha256, offset, length), 'out_of_range')
    }
  })

  check('stores a chunk once that two bring at the same time', async (t, store) => {
    const chunk = randomChunk(1000)
    await withSlide(store, [chunk])
    const answers = await Promise.all([1, 2, 3].map(() => store.putChunk(ALICE, chunk.sha256, chunk.body)))
    t.same(answers.toSorted(), ['known', 'known', 'stored'])
    t.equal(store.usage().chunks, 1)
  })

  check('takes an empty chunk', async (t, store) => {
    const chunk = chunkOf(Buffer.alloc(0))
    await withSlide(store, [chunk])
    t.equal(await store.putChunk(ALICE, chunk.sha256, chunk.body), 'stored')
    t.equal((await store.readChunk(ALICE, chunk.sha256, 0, 0)).length, 0)
    t.same(await store.verify(() => t.fail('no defect')), { checked: 1 })
  })

  check('takes many chunks side by side, of all lengths', async (t, store) => {
    const chunks = Array.from({ length: 200 }, (_, index) => randomChunk(1 + index * 331))
    await withSlide(store, chunks)
    await Promise.all(chunks.map(({ sha256, body }) => store.putChunk(ALICE, sha256, body)))
    t.ok(store.hasChunks(ALICE, chunks.map(({ sha256 }) => sha256)).every(Boolean))
    for (const { sha256, body, length } of chunks) if (!(await store.readChunk(ALICE, sha256, 0, length)).equals(body)) t.fail('another chunk')
  })

  check('refuses a chunk that no slide of its owner refers to, or of another length', async (t, store) => {
    const chunk = randomChunk(1000)
    await withSlide(store, [chunk])
    await refuses(t, store.putChunk(ALICE, randomChunk(10).sha256, randomBytes(10)), 'not_found')
    await refuses(t, store.putChunk(BOB, chunk.sha256, chunk.body), 'not_found')
    await refuses(t, store.putChunk(ALICE, chunk.sha256, chunk.body.subarray(1)), 'hash_mismatch')
    t.same(store.hasChunks(ALICE, [chunk.sha256]), [false])
  })

  check('does not tell an owner of the chunks of another', async (t, store) => {
    const chunk = randomChunk(1000)
    await withSlide(store, [chunk], ALICE)
    await withSlide(store, [chunk], BOB)
    await store.putChunk(ALICE, chunk.sha256, chunk.body)
    t.same(store.hasChunks(BOB, [chunk.sha256]), [false])
    await refuses(t, store.readChunk(BOB, chunk.sha256, 0, 1), 'not_found')
    t.equal(await store.putChunk(BOB, chunk.sha256, chunk.body), 'stored')
  })

  check('refuses a level that says another length of a known chunk', async (t, store) => {
    const chunk = randomChunk(1000)
    await withSlide(store, [chunk])
    await refuses(t, withSlide(store, [{ ...chunk, length: 999 }]), 'bad_slide')
    await refuses(t, withSlide(store, [{ ...randomChunk(1), length: 5 }, chunk, { ...chunk, length: 5 }]), 'bad_slide')
  })

  check('completes a slide when all of it is here', async (t, store) => {
    const slide = testSlide({ levels: 2 })
    const [one, two] = [randomChunk(10), randomChunk(20)]
    await store.createSlide(slide)
    await store.putLevel(slide.slideId, { level: 1, index: Buffer.from('1'), head: 'h' }, [one])
    await store.putChunk(ALICE, one.sha256, one.body)
    await refuses(t, store.completeSlide(slide.slideId, 'whole'), 'wrong_state')
    await store.putLevel(slide.slideId, { level: 0, index: Buffer.from('0'), head: 'h' }, [two, one])
    await refuses(t, store.completeSlide(slide.slideId, 'whole'), 'wrong_state')
    await store.putChunk(ALICE, two.sha256, two.body)
    t.equal(store.slideHead(slide.slideId), undefined)
    await store.completeSlide(slide.slideId, 'whole')
    await store.completeSlide(slide.slideId, 'whole')
    await refuses(t, store.completeSlide(slide.slideId, 'other'), 'conflict')
    await refuses(t, store.completeSlide(randomUUID() as SlideId, 'x'), 'not_found')
    t.equal(store.slide(slide.slideId)?.state, 'complete')
    t.equal(store.slideHead(slide.slideId), 'whole')
  })

  check('deletes a slide with the chunks that no other slide of its owner refers to', async (t, store) => {
    const [shared, alone] = [randomChunk(5000), randomChunk(6000)]
    const first = await withSlide(store, [shared, alone, shared])
    const second = await withSlide(store, [shared])
    for (const { sha256, body } of [shared, alone]) await store.putChunk(ALICE, sha256, body)
    await store.putDocument(first, 'notes', Buffer.from('n'))
    await store.deleteSlide(first)
    await store.deleteSlide(first)
    t.equal(store.slide(first), undefined)
    t.equal(store.level(first, 0), undefined)
    t.equal(store.document(first, 'notes'), undefined)
    t.same(store.hasChunks(ALICE, [shared.sha256, alone.sha256]), [true, false])
    t.ok((await store.readChunk(ALICE, shared.sha256, 0, shared.length)).equals(shared.body))
    await refuses(t, store.putChunk(ALICE, alone.sha256, alone.body), 'not_found')
    await store.deleteSlide(second)
    t.same(store.usage(), { chunks: 0, bytes: 0, quotaBytes: 64 * MIB })
  })

  check('counts chunks, indexes and documents, and refuses what exceeds the quota', async (t, store) => {
    const chunks = [randomChunk(40_000), randomChunk(40_000), randomChunk(40_000)]
    await refuses(t, withSlide(store, chunks), 'quota_exceeded')
    await withSlide(store, chunks.slice(0, 2))
    const rival = await withSlide(store, chunks.slice(2))
    for (const { sha256, body } of chunks.slice(0, 2)) await store.putChunk(ALICE, sha256, body)
    t.same(store.usage(), { chunks: 2, bytes: 80_010, quotaBytes: 100_000 })
    await refuses(t, store.putChunk(ALICE, chunks[2]!.sha256, chunks[2]!.body), 'quota_exceeded')
    await refuses(t, store.putDocument(rival, 'notes', Buffer.alloc(20_000)), 'quota_exceeded')
    await store.putDocument(rival, 'notes', Buffer.alloc(10_000))
    await store.putDocument(rival, 'notes', Buffer.alloc(10_001))
    t.equal(store.usage().bytes, 90_011)
    t.same(await store.verify(() => t.fail('no defect')), { checked: 2 })
  }, 100_000)

  check('works again once there is room', async (t, store) => {
    const [first, second] = [randomChunk(60_000), randomChunk(60_000)]
    const slide = await withSlide(store, [first])
    const rival = testSlide()
    await store.createSlide(rival)
    await store.putChunk(ALICE, first.sha256, first.body)
    await refuses(t, store.putLevel(rival.slideId, { level: 0, index: Buffer.from('i'), head: 'h' }, [second]), 'quota_exceeded')
    t.same(store.levels(rival.slideId), [])
    await store.deleteSlide(slide)
    await store.putLevel(rival.slideId, { level: 0, index: Buffer.from('i'), head: 'h' }, [second])
    t.equal(await store.putChunk(ALICE, second.sha256, second.body), 'stored')
  }, 100_000)

  check('keeps documents beside a slide, replaces and deletes them', async (t, store) => {
    const slide = await withSlide(store, [])
    await store.putDocument(slide, 'annotations.json', Buffer.from('one'))
    await store.putDocument(slide, 'annotations.json', Buffer.from('two'))
    t.equal(store.document(slide, 'annotations.json')?.toString(), 'two')
    await store.putDocument(slide, 'annotations.json', undefined)
    t.equal(store.document(slide, 'annotations.json'), undefined)
    for (const name of ['', '../x', 'a/b', '.hidden', 'x'.repeat(65)]) await refuses(t, store.putDocument(slide, name, Buffer.from('x')), 'bad_message')
    await refuses(t, store.putDocument(slide, 'large', Buffer.alloc(16 * MIB + 1)), 'bad_message')
    await refuses(t, store.putDocument(randomUUID() as SlideId, 'x', Buffer.from('x')), 'not_found')
  })

  check('tells of chunks that came, until nobody listens', async (t, store) => {
    const [first, second] = [randomChunk(10), randomChunk(20)]
    await withSlide(store, [first, second])
    const heard: [MemberId, Sha256, boolean][] = []
    const watch = store.watchChunks((...change) => heard.push(change))
    await store.putChunk(ALICE, first.sha256, first.body)
    await store.putChunk(ALICE, first.sha256, first.body)
    watch[Symbol.dispose]()
    await store.putChunk(ALICE, second.sha256, second.body)
    t.same(heard, [[ALICE, first.sha256, true]])
  })

  check('finds by verification a chunk that is not what its name says, and takes it again', async (t, store) => {
    const [sound, damaged] = [randomChunk(2000), randomChunk(3000)]
    const slide = await withSlide(store, [sound, damaged])
    await store.putChunk(ALICE, sound.sha256, sound.body)
    await store.putChunk(ALICE, damaged.sha256, randomBytes(3000))
    await store.completeSlide(slide, 'whole')
    const [defects, heard]: [StoreDefect[], boolean[]] = [[], []]
    using _watch = store.watchChunks((_owner, _sha256, isHere) => heard.push(isHere))
    t.same(await store.verify(defect => defects.push(defect)), { checked: 2 })
    t.same(defects, [{ kind: 'chunk_damaged', chunk: damaged.sha256 }])
    t.same(heard, [false])
    t.same(store.hasChunks(ALICE, [sound.sha256, damaged.sha256]), [true, false])
    t.equal(store.slide(slide)?.state, 'arriving')
    await store.putChunk(ALICE, damaged.sha256, damaged.body)
    await store.completeSlide(slide, 'whole')
    t.same(await store.verify(() => t.fail('no defect')), { checked: 2 })
  })

  check('ends a verification when asked to', async (t, store) => {
    const chunk = randomChunk(10)
    await withSlide(store, [chunk])
    await store.putChunk(ALICE, chunk.sha256, chunk.body)
    await t.rejects(store.verify(() => undefined, AbortSignal.abort(new Error('enough'))), { message: 'enough' })
  })
}
