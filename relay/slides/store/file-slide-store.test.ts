import { mkdtempSync, rmdirSync } from 'node:fs'
import { appendFile, open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'
import { ALICE, randomChunk, withSlide } from '../../../bench/slides/test-slide.ts'
import { refuses, slideStoreContract } from '../../../test/contract/slide-store.ts'
import { createLogger } from '../../runtime/log.ts'
import { FileSlideStore } from './file-slide-store.ts'
import { packFileSystem, packName } from './pack-writer.ts'
import type { Test } from 'tap'
import type { Sha256, SlideId } from '../../wire/ids.ts'
import type { FileSlideStoreOptions } from './file-slide-store.ts'
import type { PackFileSystem } from './pack-writer.ts'
import type { StoreDefect } from './slide-store.ts'

const MIB = 1024 * 1024
const log = createLogger({ level: 'silent', program: 'test' })

function openIn(directory: string, more: Partial<FileSlideStoreOptions> = {}): Promise<FileSlideStore> {
  return FileSlideStore.open({ directory, quotaBytes: 1024 * MIB, log, ...more })
}

/** Packs of a store, by name and length. */
async function packsIn(directory: string): Promise<Record<string, number>> {
  const names = await readdir(join(directory, 'packs'))
  return Object.fromEntries(await Promise.all(names.map(async name => [name, (await stat(join(directory, 'packs', name))).size] as const)))
}

async function overwrite(path: string, position: number): Promise<void> {
  await using file = await open(path, 'r+')
  await file.write(Buffer.from('damage'), 0, 6, position)
}

slideStoreContract(t, 'in files', (t: Test, quotaBytes) => openIn(t.testdir(), { quotaBytes }))

t.test('everything that was acknowledged is there after opening again', async t => {
  const directory = t.testdir()
  const chunks = [randomChunk(300_000), randomChunk(400_000)]
  let slide
  {
    await using store = await openIn(directory)
    slide = await withSlide(store, chunks)
    await Promise.all(chunks.map(({ sha256, body }) => store.putChunk(ALICE, sha256, body)))
    await store.putDocument(slide, 'notes', Buffer.from('n'))
    await store.completeSlide(slide, 'whole')
  }
  await using store = await openIn(directory)
  t.equal(store.slide(slide)?.state, 'complete')
  t.equal(store.document(slide, 'notes')?.toString(), 'n')
  t.same(await store.verify(() => t.fail('no defect')), { checked: 2 })
  t.same(store.usage(), { chunks: 2, bytes: 700_006, quotaBytes: 1024 * MIB })
})

t.test('a store that is open is not opened a second time', async t => {
  const directory = t.testdir()
  {
    await using _store = await openIn(directory)
    await refuses(t, openIn(directory), 'conflict')
    const other = `import('${new URL('../../runtime/folder-lock.ts', import.meta.url).href}').then(({ FolderLock }) => new FolderLock(process.argv[1], 'the slide store')).catch(error => console.log(error.code))`
    t.equal(execFileSync(process.execPath, ['-e', other, join(directory, 'lock')], { encoding: 'utf8' }).trim(), 'conflict')
  }
  await using _again = await openIn(directory)
})

t.test('a file that is no database is refused, and left alone', async t => {
  const directory = t.testdir({ 'metadata.sqlite': 'x'.repeat(5000) })
  await refuses(t, openIn(directory), 'internal')
  t.equal((await stat(join(directory, 'metadata.sqlite'))).size, 5000)
})

t.test('what was appended and never committed is cut off at the next opening', async t => {
  const directory = t.testdir()
  const [first, second] = [randomChunk(1000), randomChunk(2000)]
  {
    await using store = await openIn(directory)
    await withSlide(store, [first, second])
    await store.putChunk(ALICE, first.sha256, first.body)
  }
  const pack = join(directory, 'packs', packName(1))
  await using file = await open(pack, 'a')
  await file.write(Buffer.alloc(5000))
  await writeFile(join(directory, 'packs', packName(2)), 'never committed')
  await using store = await openIn(directory)
  t.same(await packsIn(directory), { [packName(1)]: 1000 })
  await store.putChunk(ALICE, second.sha256, second.body)
  t.same(await packsIn(directory), { [packName(1)]: 3000 })
  t.same(await store.verify(() => t.fail('no defect')), { checked: 2 })
})

t.test('chunks whose bytes are gone count as not here, and are taken again', async t => {
  const directory = t.testdir()
  const [first, second] = [randomChunk(1000), randomChunk(2000)]
  let slide
  {
    await using store = await openIn(directory)
    slide = await withSlide(store, [first, second])
    await store.putChunk(ALICE, first.sha256, first.body)
    await store.putChunk(ALICE, second.sha256, second.body)
    await store.completeSlide(slide, 'whole')
  }
  await truncate(join(directory, 'packs', packName(1)), 2500)
  await using store = await openIn(directory)
  t.same(store.hasChunks(ALICE, [first.sha256, second.sha256]), [true, false])
  t.equal(store.slide(slide)?.state, 'arriving')
  await store.putChunk(ALICE, second.sha256, second.body)
  t.same(await store.verify(() => t.fail('no defect')), { checked: 2 })
})

t.test('verification tells a damaged chunk from a missing one', async t => {
  const directory = t.testdir()
  const [first, second, third] = [randomChunk(1000), randomChunk(2000), randomChunk(3000)]
  await using store = await openIn(directory)
  await withSlide(store, [first, second, third])
  for (const { sha256, body } of [first, second, third]) await store.putChunk(ALICE, sha256, body)
  await overwrite(join(directory, 'packs', packName(1)), 500)
  await truncate(join(directory, 'packs', packName(1)), 4000)
  await refuses(t, store.readChunk(ALICE, third.sha256, 0, 3000), 'not_found')
  const defects: StoreDefect[] = []
  t.same(await store.verify(defect => defects.push(defect)), { checked: 3 })
  t.same(defects.toSorted((a, b) => a.kind.localeCompare(b.kind)), [{ kind: 'chunk_damaged', chunk: first.sha256 }, { kind: 'chunk_missing', chunk: third.sha256 }])
  t.same(store.hasChunks(ALICE, [first.sha256, second.sha256, third.sha256]), [false, true, false])
})

t.test('deletion gives the room of whole and of mostly empty packs back', async t => {
  const directory = t.testdir()
  const [large, small, later] = [Array.from({ length: 15 }, () => randomChunk(4 * MIB)), [randomChunk(5 * MIB)], [randomChunk(1000)]]
  {
    await using store = await openIn(directory)
    const first = await withSlide(store, large)
    await withSlide(store, [...small, ...later])
    for (const { sha256, body } of [...large, ...small, ...later]) await store.putChunk(ALICE, sha256, body)
    t.same(await packsIn(directory), { [packName(1)]: 65 * MIB, [packName(2)]: 1000 })
    await store.deleteSlide(first)
  }
  t.same(await packsIn(directory), { [packName(2)]: 5 * MIB + 1000 }, 'what was left is in the next pack')
  await using store = await openIn(directory)
  for (const { sha256, body, length } of [...small, ...later]) t.ok((await store.readChunk(ALICE, sha256, 0, length)).equals(body))
  t.same(await store.verify(() => t.fail('no defect')), { checked: 2 })
})

t.test('a slide deleted while its chunks come takes them along', async t => {
  await using store = await openIn(t.testdir())
  const chunks = Array.from({ length: 50 }, () => randomChunk(50_000))
  const slide = await withSlide(store, chunks)
  const puts = Promise.allSettled(chunks.map(({ sha256, body }) => store.putChunk(ALICE, sha256, body)))
  await store.deleteSlide(slide)
  t.ok((await puts).every(put => put.status === 'fulfilled' || (put.reason as { code: string }).code === 'not_found'))
  t.match(store.usage(), { chunks: 0, bytes: 0 })
})

t.test('a file system that fails refuses the batch, and the pack is left', async t => {
  const directory = t.testdir()
  let failure: string | undefined
  const fail = (): void => {
    if (failure !== undefined) throw Object.assign(new Error('failed'), { code: failure })
  }
  const fileSystem: PackFileSystem = {
    ...packFileSystem,
    async open(path, flags) {
      const file = await open(path, flags)
      return {
        writev: ((buffers: Buffer[], position: number) => {
          // Half of the first buffer only: the rest has to be asked for.
          const [first] = buffers
          return file.writev(first === undefined || first.length < 2 ? buffers : [first.subarray(0, first.length >> 1)], position)
        }) as typeof file.writev,
        datasync: async () => {
          fail()
          await file.datasync()
        },
        truncate: length => file.truncate(length),
        close: () => file.close(),
      }
    },
  }
  const chunks = [randomChunk(1000), randomChunk(2000), randomChunk(3000)] as const
  {
    await using store = await openIn(directory, { fileSystem })
    await withSlide(store, chunks)
    await store.putChunk(ALICE, chunks[0].sha256, chunks[0].body)
    failure = 'ENOSPC'
    await refuses(t, store.putChunk(ALICE, chunks[1].sha256, chunks[1].body), 'storage_full')
    failure = 'EIO'
    await refuses(t, store.putChunk(ALICE, chunks[1].sha256, chunks[1].body), 'internal')
    t.same(store.hasChunks(ALICE, chunks.map(({ sha256 }) => sha256)), [true, false, false])
    failure = undefined
    for (const { sha256, body } of chunks) await store.putChunk(ALICE, sha256, body)
    t.same(await packsIn(directory), { [packName(1)]: 1000, [packName(2)]: 0, [packName(3)]: 5000 })
  }
  await using store = await openIn(directory)
  t.same(await packsIn(directory), { [packName(1)]: 1000, [packName(3)]: 5000 })
  t.same(await store.verify(() => t.fail('no defect')), { checked: 3 })
})

/** A file system of its own, so small that it fills; undefined where none can be mounted. */
function tinyDisk(t: Test, bytes: number): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'kenkyo-tiny-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', directory], { stdio: 'ignore' })
  } catch {
    rmdirSync(directory)
    return undefined
  }
  t.teardown(() => {
    execFileSync('umount', [directory])
    rmdirSync(directory)
  })
  return directory
}

/** Puts chunks of new slides until the store refuses. */
async function fill(t: Test, store: FileSlideStore): Promise<{ slides: SlideId[]; stored: Sha256[] }> {
  const slides: SlideId[] = []
  const stored: Sha256[] = []
  try {
    for (;;) {
      const chunks = Array.from({ length: 8 }, () => randomChunk(MIB / 2))
      slides.push(await withSlide(store, chunks))
      for (const { sha256, body } of chunks) {
        await store.putChunk(ALICE, sha256, body)
        stored.push(sha256)
      }
    }
  } catch (error) {
    t.equal((error as { code: string }).code, 'storage_full')
  }
  t.ok(stored.length > 20)
  return { slides, stored }
}

/** After deletion of what filled it, a store takes chunks again. */
async function worksAgain(t: Test, store: FileSlideStore, slides: readonly SlideId[]): Promise<void> {
  for (const slide of slides) await store.deleteSlide(slide)
  t.equal(store.usage().chunks, 0)
  const chunk = randomChunk(MIB)
  await withSlide(store, [chunk])
  t.equal(await store.putChunk(ALICE, chunk.sha256, chunk.body), 'stored')
}

t.test('a full disk refuses chunks, loses nothing and works again after a deletion', async t => {
  const directory = tinyDisk(t, 24 * MIB)
  if (directory === undefined) {
    t.comment('not run: it takes root to mount a small file system')
    return
  }
  const options = { reserveBytes: 4 * MIB }
  let filled
  {
    await using store = await openIn(directory, options)
    filled = await fill(t, store)
    t.ok(store.hasChunks(ALICE, filled.stored).every(Boolean))
    t.same(await store.verify(() => t.fail('no defect')), { checked: filled.stored.length })
  }
  await using store = await openIn(directory, options)
  t.ok(store.hasChunks(ALICE, filled.stored).every(Boolean))
  await worksAgain(t, store, filled.slides)
})

t.test('a disk without a byte left loses nothing, and works again when somebody makes room', async t => {
  const directory = tinyDisk(t, 24 * MIB)
  if (directory === undefined) {
    t.comment('not run: it takes root to mount a small file system')
    return
  }
  // Without a reserve even a deletion may find no room for its record: what is deleted first is not of the store.
  const other = join(directory, 'of somebody else')
  await writeFile(other, Buffer.alloc(2 * MIB))
  let filled
  {
    await using store = await openIn(directory, { reserveBytes: 0 })
    filled = await fill(t, store)
    await t.rejects(appendFile(other, Buffer.alloc(MIB)), { code: 'ENOSPC' })
    t.ok(store.hasChunks(ALICE, filled.stored).every(Boolean))
    t.same(await store.verify(() => t.fail('no defect')), { checked: filled.stored.length })
  }
  await rm(other)
  await using store = await openIn(directory, { reserveBytes: 0 })
  t.ok(store.hasChunks(ALICE, filled.stored).every(Boolean))
  await worksAgain(t, store, filled.slides)
})
