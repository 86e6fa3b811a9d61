import { t } from 'tap'
import { mergeRanges } from './merge-ranges.ts'

const MIB = 1024 * 1024

t.test('neighbours are read at once, in whatever order they are asked for, and each is found again', async t => {
  t.same(mergeRanges([{ offset: 300, length: 100 }, { offset: 100, length: 200 }, { offset: 400, length: 50 }]), [{ offset: 100, length: 350, members: [1, 0, 2] }])
})

t.test('what lies far from each other is read by itself', async t => {
  t.same(mergeRanges([{ offset: 0, length: 10 }, { offset: MIB, length: 10 }]).map(({ offset, length }) => [offset, length]), [[0, 10], [MIB, 10]])
})

t.test('no more than 4 MiB are read at once, but for one that is longer', async t => {
  const merged = mergeRanges([...Array.from({ length: 10 }, (_, index) => ({ offset: index * MIB, length: MIB })), { offset: 10 * MIB, length: 9 * MIB }])
  t.same(merged.map(({ length }) => length / MIB), [4, 4, 2, 9])
})

t.test('ranges that are the same or overlap stay whole, and empty ones are left out', async t => {
  t.same(mergeRanges([{ offset: 10, length: 90 }, { offset: 0, length: 0 }, { offset: 10, length: 90 }, { offset: 20, length: 10 }]), [{ offset: 10, length: 90, members: [0, 2, 3] }])
  t.same(mergeRanges([]), [])
})
