/** A process that fills a slide store and says on standard output what was acknowledged, until somebody kills it. */
import { writeSync } from 'node:fs'
import { createLogger } from '../../relay/runtime/log.ts'
import { FileSlideStore } from '../../relay/slides/store/file-slide-store.ts'
import { ALICE, randomChunk, testSlide } from './test-slide.ts'
import type { SlideId } from '../../relay/wire/ids.ts'

const CHUNKS = 24
const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: store-victim.ts DIRECTORY')
const store = await FileSlideStore.open({ directory, quotaBytes: 2 ** 40, log: createLogger({ level: 'silent', program: 'bench' }) })
// One write to a pipe is whole or not there at all (POSIX, PIPE_BUF), also for a process that is killed.
const say = (what: string, id: string): void => void writeSync(1, `${what} ${id}\n`)

const before: SlideId[] = []
for (;;) {
  const slide = testSlide()
  const { slideId } = slide
  const chunks = Array.from({ length: CHUNKS }, (_, index) => randomChunk(1000 * (1 + index)))
  await store.createSlide(slide)
  say('slide', slideId)
  await store.putLevel(slideId, { level: 0, index: Buffer.from('index'), head: 'head' }, chunks)
  say('level', slideId)
  await Promise.all(chunks.map(async ({ sha256, length, body }) => {
    await store.putChunk(ALICE, sha256, body)
    say('chunk', `${slideId} ${sha256} ${length}`)
  }))
  await store.completeSlide(slideId, 'whole')
  say('complete', slideId)
  before.push(slideId)
  const [oldest] = before
  if (before.length > 3 && oldest !== undefined) {
    before.shift()
    say('deleting', oldest)
    await store.deleteSlide(oldest)
    say('deleted', oldest)
  }
}
