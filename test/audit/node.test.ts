import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { AuditReader } from '../../relay/audit/audit-reader.ts'
import { verifyLog } from '../../relay/audit/verify/verify-log.ts'
import { NodeUnderTest } from '../harness/node-under-test.ts'
import { RawClient } from '../harness/raw-client.ts'

t.test('a node records who joins, asks and leaves, before it is done, and the log verifies', async t => {
  const auditDir = join(t.testdir(), 'audit')
  let pem: string
  {
    await using under = await NodeUnderTest.open({ auditDir })
    pem = await readFile(under.auditKeyFile, 'utf8')
    {
      await using viewer = await RawClient.join(await under.invite('viewer', { member: 'pathologist-1' }))
      t.equal(await viewer.refusal('openReplay', { recordingId: '6f0c1d0e-1111-4222-8333-444455556666' }), 'not_found')
    }
    t.ok((await under.metric('kenkyo_audit_events_total', { kind: 'access' })) >= 3)
  }
  const { entries } = await new AuditReader(auditDir).search({ kind: 'access', limit: 100 })
  const told = [...entries].reverse().map(({ event }) => (event.kind === 'access' ? `${event.actor.memberId} ${event.access} ${event.outcome}` : ''))
  t.same(told.slice(0, 2), ['pathologist-1 join ok', 'pathologist-1 view_recording ok'])
  t.equal(told[2], 'pathologist-1 view_recording not_found', 'what failed is recorded once more')
  t.equal(told.at(-1), 'pathologist-1 leave ok')
  t.same(verifyLog(auditDir, pem).findings, [])
})

t.test('a node that is told so records nothing', async t => {
  const auditDir = join(t.testdir(), 'audit')
  {
    await using under = await NodeUnderTest.open({ auditDir, audit: false })
    await using _viewer = await RawClient.join(await under.invite('viewer'))
  }
  await t.rejects(new AuditReader(auditDir).head(), { code: 'ENOENT' })
})
