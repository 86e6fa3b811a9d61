import { t } from 'tap'
import { millis } from '../../../relay/wire/units.ts'
import { LatestThrottle } from './latest-throttle.ts'

t.test('sends the first at once, then the latest of each interval, and the last in the end', async t => {
  const throttle = new LatestThrottle<number>(millis(200))
  t.same(throttle.step(millis(0)), {})
  throttle.offer(1)
  t.same(throttle.step(millis(0)), { send: { value: 1 } })
  throttle.offer(2)
  throttle.offer(3)
  t.same(throttle.step(millis(50)), { wakeAt: 200 })
  t.same(throttle.step(millis(200)), { send: { value: 3 } })
  t.same(throttle.step(millis(500)), {})
  throttle.offer(4)
  t.same(throttle.step(millis(500)), { send: { value: 4 } })
})

t.test('sends nothing that was dropped', async t => {
  const throttle = new LatestThrottle<null>(millis(200))
  throttle.offer(null)
  throttle.drop()
  t.same(throttle.step(millis(0)), {})
})
