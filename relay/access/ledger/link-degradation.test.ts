import { t } from 'tap'
import { LinkName } from '../../wire/link.ts'
import { millis } from '../../wire/units.ts'
import { DEGRADED_AFTER, FORGOTTEN_AFTER, LinkDegradation, RECOVERED_AFTER } from './link-degradation.ts'

const line = LinkName.parse('line')

t.test('a link is degraded once it fell short for long, and recovers once it kept its word for longer', async t => {
  const links = new LinkDegradation()
  t.equal(links.observe(line, true, millis(0)), false)
  t.equal(links.observe(line, true, millis(DEGRADED_AFTER - 1)), false)
  t.equal(links.isDegraded(line), false)
  t.equal(links.observe(line, true, DEGRADED_AFTER), true)
  t.equal(links.isDegraded(line), true)
  const recovers = DEGRADED_AFTER + 1
  t.equal(links.observe(line, false, millis(recovers)), false)
  t.equal(links.observe(line, false, millis(recovers + RECOVERED_AFTER - 1)), false)
  t.equal(links.observe(line, false, millis(recovers + RECOVERED_AFTER)), true)
  t.equal(links.isDegraded(line), false)
})

t.test('a link that goes up and down does not change its condition with each', async t => {
  const links = new LinkDegradation()
  let changes = 0
  for (let now = 0; now < 600_000; now += 1000) changes += Number(links.observe(line, now % 3000 < 2000, millis(now)))
  t.equal(changes, 0, 'never short for long enough')
  for (let now = 600_000; now < 604_000; now += 1000) changes += Number(links.observe(line, true, millis(now)))
  for (let now = 604_000; now < 1_200_000; now += 1000) changes += Number(links.observe(line, now % 20_000 < 1000, millis(now)))
  t.equal(changes, 1, 'and never well for long enough')
})

t.test('what nobody measures any more is not degraded', async t => {
  const links = new LinkDegradation()
  links.observe(line, true, millis(0))
  links.observe(line, true, DEGRADED_AFTER)
  t.equal(links.forget(millis(DEGRADED_AFTER + FORGOTTEN_AFTER - 1)), false)
  t.equal(links.isDegraded(line), true)
  t.equal(links.forget(millis(DEGRADED_AFTER + FORGOTTEN_AFTER)), true)
  t.equal(links.isDegraded(line), false)
  t.equal(links.forget(millis(1e9)), false)
})
