import { t } from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { SignInLimiter } from './sign-in-limiter.ts'

const limiter = (): SignInLimiter => new SignInLimiter(millis(0), { perAddress: { perSecond: 1, burst: 2 }, overall: { perSecond: 1, burst: 4 } })

t.test('refuses an address that tries too often, and no other', async t => {
  const limits = limiter()
  for (const _ of [1, 2]) limits.take('192.0.2.1', millis(0))
  for (const address of ['192.0.2.1', '::ffff:192.0.2.1']) t.throws(() => limits.take(address, millis(0)), { code: 'rate_limited' }, address)
  t.doesNotThrow(() => limits.take('192.0.2.2', millis(0)))
  t.doesNotThrow(() => limits.take('192.0.2.1', millis(1000)))
})

t.test('takes an IPv6 network for one', async t => {
  const limits = limiter()
  for (const host of [1, 2]) limits.take(`2001:db8::${host}`, millis(0))
  t.throws(() => limits.take('2001:db8::3', millis(0)), { code: 'rate_limited' })
  t.doesNotThrow(() => limits.take('2001:db8:0:1::3', millis(0)))
  t.doesNotThrow(() => limits.take('fe80::1%eth0', millis(0)))
})

t.test('refuses more than the node takes from everywhere', async t => {
  const limits = limiter()
  for (const host of [1, 2, 3, 4]) limits.take(`192.0.2.${host}`, millis(0))
  t.throws(() => limits.take('192.0.2.5', millis(0)), { code: 'rate_limited' })
})
