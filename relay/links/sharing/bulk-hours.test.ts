import { t } from 'tap'
import { isBulkTime, localMinuteOfDay } from './bulk-hours.ts'

t.test('bulk flows within its hours, past midnight too', async t => {
  const during = (from: string, to: string) => [0, 359, 360, 1079, 1080, 1439].map(minute => isBulkTime({ from, to }, minute))
  t.same(during('06:00', '18:00'), [false, false, true, true, false, false])
  t.same(during('18:00', '06:00'), [true, true, false, false, true, true])
  t.same(during('06:00', '06:00'), [true, true, true, true, true, true])
  t.ok(isBulkTime(undefined, 0))
})

t.test('minutes count from local midnight', async t => {
  t.equal(localMinuteOfDay(new Date(2026, 4, 1, 17, 23).getTime()), 17 * 60 + 23)
})
