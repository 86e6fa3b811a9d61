import t from 'tap'
import { StepReception } from './step-reception.ts'

t.test('losses are told as runs, with how long nothing got through', async t => {
  const book = new StepReception(10)
  for (const sequence of [0, 1, 4, 5, 9]) book.take(sequence, 10 * sequence, 1000, 10 * sequence + 5)
  const { received, ipBytes, lossRuns } = book.report(10, 0)
  t.equal(received, 5)
  t.equal(ipBytes, 5 * 1028)
  t.same(lossRuns, [{ first: 2, packets: 2, millis: 30 }, { first: 6, packets: 3, millis: 40 }])
})

t.test('what was lost at either end of a load counts, too', async t => {
  const book = new StepReception(6)
  for (const sequence of [2, 3]) book.take(sequence, sequence, 100, sequence)
  t.same(book.report(6, 0).lossRuns.map(({ first, packets }) => [first, packets]), [[0, 2], [4, 2]])
})

t.test('overtaken packets and copies are counted apart', async t => {
  const book = new StepReception(4)
  book.take(0, 0, 100, 10)
  book.take(2, 2, 100, 12)
  book.take(1, 1, 100, 20)
  book.take(1, 1, 100, 21)
  book.take(3, 3, 100, 22)
  const { received, duplicates, reordered, reorderedMillis, lossRuns } = book.report(4, 0)
  t.same([received, duplicates, reordered, reorderedMillis, lossRuns], [4, 1, 1, 8, []])
})

t.test('a queue that empties after a load makes its arrival longer than its departure', async t => {
  const book = new StepReception(3)
  for (const [sequence, at] of [[0, 20], [1, 50], [2, 80]] as const) book.take(sequence, sequence, 100, at)
  t.equal(book.report(3, 0).arrivalMillis, 60)
})

t.test('clocks that differ do not show in delays', async t => {
  const book = new StepReception(3)
  for (const [sequence, delay] of [[0, 1_000_005], [1, 1_000_007], [2, 1_000_009]] as const) book.take(sequence, sequence, 100, sequence + delay)
  t.same(book.report(3, 0).delayVariation, { p50: 2, p95: 4, p99: 4, max: 4 })
})

t.test('numbers beyond what was announced are not kept', async t => {
  const book = new StepReception(2)
  book.take(2, 0, 100, 0)
  book.take(4_000_000_000, 0, 100, 0)
  t.equal(book.report(2, 0).received, 0)
  t.throws(() => new StepReception(0))
  t.throws(() => new StepReception(5_000_000))
})

t.test('of a load nothing of which came all is lost', async t => {
  const { received, lossRuns, delayVariation, slices } = new StepReception(5).report(5, 3)
  t.same([received, lossRuns, delayVariation, slices], [0, [{ first: 0, packets: 5, millis: 0 }], null, []])
})
