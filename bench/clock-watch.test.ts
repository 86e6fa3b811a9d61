import { t } from 'tap'
import { clockStep, ClockWatch } from './clock-watch.ts'

t.test('tells a step from time that passes, either way', async t => {
  const before = { wall: 1_000_000, steady: 500 }
  t.equal(clockStep(before, { wall: 1_060_000, steady: 60_500 }), undefined)
  t.equal(clockStep(before, { wall: 1_060_050, steady: 60_500 }), undefined, 'as far as two readings may be apart')
  t.equal(clockStep(before, { wall: 4_660_000, steady: 60_500 }), 3_600_000)
  t.equal(clockStep(before, { wall: 1_058_000, steady: 60_500 }), -2000)
})

t.test('tells when the clock is set, and not when one pair of readings is far apart', async t => {
  const stepped = Promise.withResolvers<number>()
  const offsets = [0, 900, 0, 2000, 2000]
  const keep = setInterval(() => undefined, 1000)
  t.teardown(() => clearInterval(keep))
  using _watch = new ClockWatch(stepped.resolve, () => ({ wall: 1e6 + (offsets.shift() ?? 2000), steady: 0 }))
  t.equal(await stepped.promise, 2000)
})
