import { t } from 'tap'
import { AuditEvent } from '../../relay/wire/audit-event.ts'
import { ConsultationId, MemberId, SlideId } from '../../relay/wire/ids.ts'
import { SlideReadings } from './slide-readings.ts'

const slide = SlideId.parse('6f0c1d0e-1111-4222-8333-444455556666')
const member = { consultationId: ConsultationId.parse('case-1'), memberId: MemberId.parse('m'), role: 'viewer' as const }

t.test('many tiles are one event, with their area by level', async t => {
  const readings = new SlideReadings()
  for (let at = 0; at < 1000; at++) readings.sent(member, slide, 0, { column: 10 + (at % 7), row: 20 + (at % 5) }, 100 + at)
  readings.sent(member, slide, 3, { column: 1, row: 2 }, 2000)
  readings.sent({ ...member, memberId: MemberId.parse('n') }, slide, 3, { column: 1, row: 2 }, 2000)
  const events = readings.take(60_000).map(event => AuditEvent.parse(event))
  t.match(events, [
    { actor: { memberId: 'm' }, fromMillis: 100, tiles: 1001, levels: [{ level: 0, tiles: 1000, area: { left: 10, top: 20, right: 16, bottom: 24 } }, { level: 3, tiles: 1 }] },
    { actor: { memberId: 'n' }, tiles: 1 },
  ])
  t.same(readings.take(120_000), [])
})
