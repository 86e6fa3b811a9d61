import { t } from 'tap'
import { ScanQueue } from './scan-queue.ts'

const look = { size: 5, modifiedAtMillis: 7.25 }

t.test('what was added and how far it was is there after the queue was opened again', async t => {
  const directory = t.testdir()
  {
    using queue = ScanQueue.open(directory)
    const { slideId } = queue.add('/a.svs', look, true)
    queue.add('/b.svs', look, true)
    queue.update(slideId, { state: 'sending', look, attempts: 2, sent: { chunks: 9, chunksDone: 4, bytes: 90, bytesDone: 40 } })
    queue.isPaused = true
  }
  using queue = ScanQueue.open(directory)
  t.match(queue.pending(9), [{ path: '/a.svs', state: 'sending', look, attempts: 2, sent: { chunks: 9, chunksDone: 4, bytes: 90, bytesDone: 40 } }, { path: '/b.svs', state: 'waiting', look: undefined }])
  t.equal(queue.isPaused, true)
  queue.isPaused = false
  t.equal(queue.isPaused, false)
})

t.test('a slide that was begun comes before those that wait', async t => {
  using queue = ScanQueue.open(t.testdir())
  queue.add('/a', look, true)
  const { slideId } = queue.add('/b', look, true)
  queue.update(slideId, { state: 'preparing' })
  t.match(queue.pending(9).map(({ path }) => path), ['/b', '/a'])
})

t.test('a file that is added again is the same slide, unless it is done and was changed since', async t => {
  using queue = ScanQueue.open(t.testdir())
  const { slideId } = queue.add('/a', look, false)
  t.equal(queue.add('/a', { ...look, size: 6 }, false).slideId, slideId, 'it is still being written')
  queue.update(slideId, { state: 'done', look })
  t.match(queue.add('/a', look, true), { slideId, state: 'done' })
  const again = queue.add('/a', { ...look, modifiedAtMillis: 8 }, false)
  t.not(again.slideId, slideId)
  t.match(again, { state: 'waiting', look: undefined })
  t.equal(queue.job(slideId), undefined)
})

t.test('one that failed is tried again only when somebody asks', async t => {
  using queue = ScanQueue.open(t.testdir())
  const { slideId } = queue.add('/a', look, false)
  queue.update(slideId, { state: 'failed', fault: 'bad_slide', look, attempts: 3 })
  t.match(queue.add('/a', look, false), { state: 'failed', fault: 'bad_slide' })
  t.match(queue.add('/a', look, true), { slideId, state: 'waiting', attempts: 0, fault: undefined })
})

t.test('one process at a time works on it, others may look', async t => {
  const directory = t.testdir()
  using queue = ScanQueue.open(directory)
  using other = ScanQueue.open(directory)
  const held = queue.lock()
  t.throws(() => other.lock(), { code: 'conflict' })
  other.add('/a', look, true)
  t.equal(queue.unfinished, 1)
  held[Symbol.dispose]()
  other.lock()[Symbol.dispose]()
})

t.test('a directory that cannot be used is a mistake of configuration', async t => {
  t.throws(() => ScanQueue.open('/dev/null/x'), { code: 'bad_config' })
})
