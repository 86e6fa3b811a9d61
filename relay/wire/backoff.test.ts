import { t } from 'tap'
import { millis } from './units.ts'
import { Backoff } from './backoff.ts'

t.test('doubles its bound up to the cap, and starts over after success', async t => {
  const backoff = new Backoff({ first: millis(100), cap: millis(1000) }, () => 1)
  t.same([backoff.next(), backoff.next(), backoff.next(), backoff.next(), backoff.next()], [100, 200, 400, 800, 1000])
  t.equal(backoff.attempts, 5)
  backoff.succeeded()
  t.equal(backoff.next(), 100)
})

t.test('never spins', async t => {
  t.equal(new Backoff({ first: millis(100), cap: millis(1000) }, () => 0).next(), 10)
})
