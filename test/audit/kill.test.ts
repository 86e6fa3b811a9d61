import { t } from 'tap'
import { killAuditRepeatedly } from '../../bench/audit/kill-audit.ts'

t.test('every event that was acknowledged is in the log after kill -9 at any moment, and the log verifies', async t => {
  // The full count is a bench: bench/audit/kill-audit.ts.
  const { kills, acknowledged, lost } = await killAuditRepeatedly(t.testdir(), 8, Math.random)
  t.same(lost, [])
  t.equal(kills, 8)
  t.ok(acknowledged > 8)
})
