import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { CommitBatcher } from './commit-batcher.ts'

const batcher = (): CommitBatcher<string> => new CommitBatcher({ count: 3, bytes: 100, age: millis(5) })

t.test('one item waits for company, and no longer than the bound', async t => {
  const batches = batcher()
  t.same(batches.step(millis(0)), { batch: undefined, wakeAt: undefined })
  batches.add('a', 10, millis(0))
  t.same(batches.step(millis(1)), { batch: undefined, wakeAt: 5 })
  batches.add('b', 10, millis(4))
  t.same(batches.step(millis(5)).batch, ['a', 'b'])
})

t.test('a batch closes by count', async t => {
  const batches = batcher()
  for (const item of 'abcd') batches.add(item, 1, millis(0))
  t.same(batches.step(millis(0)).batch, ['a', 'b', 'c'])
})

t.test('a batch closes by bytes, and an item that is longer goes alone', async t => {
  const batches = batcher()
  batches.add('a', 60, millis(0))
  batches.add('b', 60, millis(0))
  batches.add('c', 500, millis(0))
  t.same(batches.step(millis(0)).batch, ['a'])
  batches.finished()
  t.same(batches.step(millis(0)).batch, ['b'])
  batches.finished()
  t.same(batches.step(millis(0)).batch, ['c'])
  t.equal(batches.bytes, 0)
})

t.test('while a commit is under way the next batch grows', async t => {
  const batches = batcher()
  batches.add('a', 1, millis(0))
  t.same(batches.step(millis(9)).batch, ['a'])
  batches.add('b', 1, millis(9))
  t.same(batches.step(millis(99)), { batch: undefined, wakeAt: undefined })
  batches.add('c', 1, millis(100))
  batches.finished()
  t.same(batches.step(millis(100)).batch, ['b', 'c'])
})
