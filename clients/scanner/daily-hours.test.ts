import { t } from 'tap'
import { isWithin, parseDailyHours } from './daily-hours.ts'

const at = (hours: number, minutes: number): Date => new Date(2026, 2, 3, hours, minutes)

t.test('hours over midnight are open in the evening and in the morning', async t => {
  const night = parseDailyHours('18:00-07:00')
  t.same([at(17, 59), at(18, 0), at(23, 59), at(0, 0), at(6, 59), at(7, 0), at(12, 0)].map(moment => isWithin(night, moment)), [false, true, true, true, true, false, false])
})

t.test('hours within a day are open between their ends', async t => {
  const lunch = parseDailyHours('12:30-13:15')
  t.same([at(12, 29), at(12, 30), at(13, 14), at(13, 15), at(0, 0)].map(moment => isWithin(lunch, moment)), [false, true, true, false, false])
  t.ok(isWithin(parseDailyHours('18:00-24:00'), at(23, 59)))
  t.notOk(isWithin(parseDailyHours('18:00-24:00'), at(0, 0)))
})

t.test('anything else is refused', async t => {
  for (const text of ['', '18-7', '18:00', '24:00-07:00', '18:60-07:00', '18:00-25:00', '18:00-24:01', '08:00-08:00', '18:00-07:00-09:00']) t.throws(() => parseDailyHours(text), { code: 'bad_config' }, text)
})
