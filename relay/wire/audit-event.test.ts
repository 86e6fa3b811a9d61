import { t } from 'tap'
import { AUDIT_KINDS, AuditEvent } from './audit-event.ts'

const join = { kind: 'access', atMillis: 1, actor: { memberId: 'm', seat: 'viewer' }, access: 'join', consultationId: 'case-1', outcome: 'ok' }

t.test('an access needs no subject, and has an empty one then', async t => {
  t.match(AuditEvent.parse(join), { subject: {} })
})

t.test('nothing fits in beside ids, numbers and words of closed sets', async t => {
  const refused = [
    { ...join, patientName: '山田' },
    { ...join, actor: { memberId: 'm', name: 'Yamada' } },
    { ...join, subject: { note: 'x' } },
    { ...join, consultationId: 'Yamada Taro' },
    { ...join, access: 'look' },
    { ...join, outcome: 'because he asked' },
    { ...join, kind: 'other' },
    { ...join, atMillis: -1 },
    { ...join, atMillis: 1.5 },
  ]
  for (const event of refused) t.notOk(AuditEvent.safeParse(event).success, JSON.stringify(event))
})

t.test('every kind of the union is listed once', async t => {
  t.same(AuditEvent.options.map(({ shape }) => shape.kind.value), AUDIT_KINDS)
})
