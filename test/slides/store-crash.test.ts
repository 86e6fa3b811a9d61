import { t } from 'tap'
import { killRepeatedly } from '../../bench/slides/kill-store.ts'

t.test('everything a store acknowledged is there after kill -9 at any moment', async t => {
  // The full count is a bench: bench/slides/kill-store.ts.
  const { kills, acknowledged, lost } = await killRepeatedly(t.testdir(), 8, Math.random)
  t.same(lost, [])
  t.equal(kills, 8)
  t.ok(acknowledged > 8)
})
