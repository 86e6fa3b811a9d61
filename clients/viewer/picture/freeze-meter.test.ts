import t from 'tap'
import { millis } from '../../../relay/wire/units.ts'
import { FreezeMeter, NO_FREEZES } from './freeze-meter.ts'

function play(meter: FreezeMeter, from: number, frames: number, interval: number): number {
  for (let frame = 0; frame < frames; frame++) meter.drawn(millis(from + frame * interval))
  return from + (frames - 1) * interval
}

t.test('an even picture has no freezes, at any rate', async t => {
  for (const interval of [16, 33, 250, 1000]) {
    const meter = new FreezeMeter()
    play(meter, 0, 100, interval)
    t.same(meter.freezes, NO_FREEZES)
  }
})

t.test('counts a gap of more than three intervals and 150 ms over the mean', async t => {
  const meter = new FreezeMeter()
  const first = play(meter, 0, 31, 33) + 180
  meter.drawn(millis(first))
  t.equal(meter.freezes.count, 0, '180 ms is not yet 33 + 150')
  meter.drawn(millis(play(meter, first + 33, 31, 33) + 190))
  t.same(meter.freezes, { count: 1, longestSeconds: 0.19, lastSeconds: 0.19 })
})

t.test('tells the last freeze from the longest', async t => {
  const meter = new FreezeMeter()
  let now = play(meter, 0, 31, 33)
  for (const pause of [900, 400]) {
    meter.drawn(millis(now + pause))
    now = play(meter, now + pause + 33, 31, 33)
  }
  t.same(meter.freezes, { count: 2, longestSeconds: 0.9, lastSeconds: 0.4 })
})

t.test('time in a hidden page is no freeze', async t => {
  const meter = new FreezeMeter()
  const now = play(meter, 0, 31, 33)
  meter.forgive()
  play(meter, now + 10_000, 31, 33)
  t.equal(meter.freezes.count, 0)
})
