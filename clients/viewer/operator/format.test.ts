import t from 'tap'
import { daysUntil, groupsOf, rateText, ratioText, timeText } from './format.ts'

t.test('rates have three digits and a unit', async t => {
  t.same([0, 999, 1000, 12_345, 123_456_789, 9_870_000_000].map(rateText), ['0 bit/s', '999 bit/s', '1.00 kbit/s', '12.3 kbit/s', '123 Mbit/s', '9.87 Gbit/s'])
})

t.test('a day that has begun is not left any more', async t => {
  t.equal(daysUntil(90 * 86_400_000, 0), 90)
  t.equal(daysUntil(86_399_999, 0), 0)
  t.equal(daysUntil(0, 1), -1)
})

t.test('a hash is read out in sixteen groups', async t => {
  t.same(groupsOf('0123456789abcdef'.repeat(4)).length, 16)
  t.same(groupsOf('01234567'), ['0123', '4567'])
})

t.test('small losses are told apart, and times have seconds', async t => {
  t.equal(ratioText(0.0012), '0.12 %')
  t.equal(ratioText(0.125), '12.5 %')
  t.match(timeText('ja', 0), /19(70|69)\/\d\d\/\d\d \d\d:00:00/)
})
