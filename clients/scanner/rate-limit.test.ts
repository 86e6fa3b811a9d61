import { t } from 'tap'
import { bitsPerSecond, bytes, millis } from '../../relay/wire/units.ts'
import { RateLimit } from './rate-limit.ts'

t.test('bodies leave no closer than the rate allows, and an idle time is not saved up', async t => {
  const limit = new RateLimit(bitsPerSecond(8_000_000))
  t.equal(limit.reserve(bytes(500_000), millis(100)), 100)
  t.equal(limit.reserve(bytes(1_000_000), millis(100)), 600)
  t.equal(limit.reserve(bytes(1), millis(700)), 1600)
  t.equal(limit.reserve(bytes(1), millis(60_000)), 60_000)
})
