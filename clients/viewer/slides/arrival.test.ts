import { t } from 'tap'
import { arrivedShare, heatLine } from './arrival.ts'

const TILES = [10_000, 100, 1]

t.test('the line begins with the coarsest level, and every level can be seen', async t => {
  const line = heatLine(TILES, [{ level: 2, here: 1, chunks: 1 }, { level: 1, here: 1, chunks: 4 }])
  t.same(line.map(({ level, share }) => [level, share]), [[2, 1], [1, 0.25], [0, 0]])
  t.ok(Math.abs(line.reduce((sum, { width }) => sum + width, 0) - 1) < 1e-9)
  t.ok(line.every(({ width }) => width > 0.04))
})

t.test('what is not announced is not here', async t => {
  t.equal(arrivedShare(TILES, []), 0)
  t.equal(arrivedShare(TILES, [{ level: 0, here: 0, chunks: null }]), 0)
  t.ok(Math.abs(arrivedShare(TILES, [{ level: 0, here: 5, chunks: 10 }, { level: 1, here: 1, chunks: 1 }, { level: 2, here: 1, chunks: 1 }]) - 5101 / 10_101) < 1e-9)
  t.equal(arrivedShare(TILES, TILES.map((_, level) => ({ level, here: 3, chunks: 3 }))), 1)
})
