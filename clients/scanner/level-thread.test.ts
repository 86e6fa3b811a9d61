import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../bench/slides/synthetic-slide.ts'
import { DeidentifiedSlide } from '../../relay/slides/deidentify/deidentified-slide.ts'
import { openSlide } from '../../relay/slides/formats/open-slide.ts'
import { buildLevel } from '../../relay/slides/manifest/build-level.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { SlideId } from '../../relay/wire/ids.ts'
import { tilesOf } from '../../relay/wire/slide.ts'
import { LevelThread } from './level-thread.ts'

const slideId = SlideId.parse('5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11')
const directory = t.testdir()
const path = join(directory, 'slide.svs')
await writeSyntheticSlide(path, { ...SMALL_SLIDE, planted: { tile: 'YAMADA TARO' } })
const { signal } = new AbortController()
const thread = new LevelThread()
t.teardown(() => thread[Symbol.asyncDispose]())

t.test('a level that the thread reads is the one that is read here, without the names', async t => {
  await using slide = new DeidentifiedSlide(await openSlide(path), { slideId, pseudonym: 'ABCD-1234' })
  const [shape] = slide.structure.levels
  let tiles = 0
  const index = await thread.build({ path, directory, slideId, level: 0 }, count => (tiles += count), signal)
  t.same(index, await buildLevel(slide, { level: 0, shape: shape!, onTiles: () => undefined, signal }))
  t.equal(tiles, tilesOf(shape!))
})

t.test('what cannot be read has its code, says nothing of the file, and the next is read', async t => {
  const broken = join(directory, 'yamada.svs')
  await writeFile(broken, (await readFile(path)).subarray(0, 200_000))
  const fault: unknown = await thread.build({ path: broken, directory, slideId, level: 0 }, () => undefined, signal).catch((error: unknown) => error)
  t.match(fault, { code: 'bad_slide' })
  t.notOk((fault as RelayFault).message.includes('yamada'))
  t.ok((await thread.build({ path, directory, slideId, level: 1 }, () => undefined, signal)).length > 0)
})

t.test('one that is not wanted any more ends with the reason, before it is read', async t => {
  const stop = new AbortController()
  const reason = new RelayFault('unavailable', 'interrupted')
  const first = thread.build({ path, directory, slideId, level: 0 }, () => undefined, stop.signal)
  const second = thread.build({ path, directory, slideId, level: 1 }, () => undefined, signal)
  stop.abort(reason)
  await t.rejects(first, reason)
  t.ok((await second).length > 0)
  await t.rejects(thread.build({ path, directory, slideId, level: 0 }, () => undefined, stop.signal), reason)
})
