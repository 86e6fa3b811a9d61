import { t } from 'tap'
import { bitsPerSecond, bytes, millis } from '../../wire/units.ts'
import { PathRate } from './path-rate.ts'
import type { PathRateOptions } from './path-rate.ts'

const SIZE = bytes(1250)
const ROUND_TRIP = millis(40)
/** Far ahead of ours, and unknown to the rate control. */
const OFFSET = 1e9

const open = (options: Partial<PathRateOptions> = {}): PathRate => new PathRate({ initial: bitsPerSecond(20e6), isKnown: false, ...options })

/** Reports of 20 ms each about datagrams at even intervals that waited so long on the way. */
function report(rate: PathRate, count: number, { from = 0, queue = (_at: number): number => 0, isBusy = true, perReport = 40, lost = 0, carried = 1 } = {}): number {
  let now = from
  for (let index = 0; index < count; index++) {
    for (let packet = 0; packet < perReport; packet++) {
      const sentAt = now + (packet * 20) / perReport
      rate.sent(SIZE, millis(sentAt))
      if (packet < carried * perReport) rate.acknowledged(millis(sentAt), millis(sentAt + 20 + queue(sentAt) + OFFSET), SIZE)
    }
    rate.lost(lost)
    now += 20
    rate.reported(millis(now + ROUND_TRIP), ROUND_TRIP, isBusy)
    rate.step(millis(now + ROUND_TRIP))
  }
  return now
}

t.test('starts at the rate of the contract, and never goes above it by more than a twentieth', async t => {
  const rate = open({ initial: bitsPerSecond(100e6), isKnown: true })
  t.equal(rate.pace, 100e6)
  report(rate, 200, { perReport: 200 })
  t.ok(rate.pace > 100e6 && rate.pace <= 105e6, `${rate.pace}`)
})

t.test('grows while no queue shows and something waits, and not otherwise', async t => {
  const busy = open()
  report(busy, 60)
  t.ok(busy.pace > 22e6, `busy: ${busy.pace}`)
  const idle = open()
  report(idle, 60, { isBusy: false, perReport: 4 })
  t.equal(idle.pace, 20e6)
})

t.test('claims no more than half as much again as was delivered', async t => {
  const rate = open()
  report(rate, 500, { perReport: 40 })
  t.ok(rate.capacity <= 1.5 * 20e6 + 1, `${rate.capacity}`)
})

t.test('leaves the pace alone when less is asked for, however little', async t => {
  const rate = open({ initial: bitsPerSecond(120e6), isKnown: true })
  report(rate, 500, { isBusy: false, perReport: 1 })
  t.equal(rate.pace, 120e6)
})

t.test('does not take the quiet before it for what the path carries, when something waits at once and a queue builds up', async t => {
  const rate = open({ initial: bitsPerSecond(150e6) })
  // A probe now and then, for two seconds.
  let now = report(rate, 100, { isBusy: false, perReport: 1 })
  // Then more than the path carries: 300 datagrams in 20 ms, of which 200 would fit.
  const begin = now
  let least = Infinity
  for (let index = 0; index < 10; index++) {
    now = report(rate, 1, { from: now, perReport: 300, queue: sentAt => (sentAt - begin) / 2 })
    least = Math.min(least, rate.capacity)
  }
  t.ok(least > 60e6, `${least}`)
  t.ok(rate.capacity < 130e6, `${rate.capacity}`)
})

t.test('falls to what arrives when a queue builds up', async t => {
  const rate = open({ initial: bitsPerSecond(40e6) })
  const from = report(rate, 100, { perReport: 80 })
  // From here on the path carries half of what is sent.
  report(rate, 5, { from, perReport: 80, queue: at => at - from })
  t.ok(rate.capacity < 25e6, `${rate.capacity}`)
  t.ok(rate.pace < rate.capacity, 'and less than that is sent until the queue is gone')
  t.ok(rate.queueingDelay >= 60, `${rate.queueingDelay}`)
})

t.test('does not answer random loss of a twentieth', async t => {
  const rate = open()
  report(rate, 200, { perReport: 40, carried: 0.95, lost: 2 })
  t.ok(rate.pace >= 20e6, `${rate.pace}`)
})

t.test('answers loss of half even without delay', async t => {
  const rate = open()
  report(rate, 60, { perReport: 60, carried: 0.5, lost: 30, isBusy: false })
  t.ok(rate.capacity < 20e6, `${rate.capacity}`)
})

t.test('halves for each second of silence while sending, down to the least', async t => {
  const rate = open({ initial: bitsPerSecond(8e6) })
  const from = report(rate, 10, { isBusy: false, perReport: 10 })
  const before = rate.pace
  const paces: number[] = []
  for (let at = 0; at < 6000; at += 20) {
    rate.sent(SIZE, millis(from + 60 + at))
    rate.step(millis(from + 60 + at))
    if (at % 1000 === 500) paces.push(rate.pace / before)
  }
  t.same(paces, [1, 0.5, 0.25, 0.125, 0.125, 0.125])
})

t.test('is halved once for silence when nothing more is sent', async t => {
  const rate = new PathRate({ initial: bitsPerSecond(40e6), isKnown: true })
  rate.sent(bytes(1000), millis(0))
  for (let now = 0; now <= 8000; now += 20) rate.step(millis(now))
  t.equal(rate.pace, 20e6)
})

t.test('takes a report of nothing but loss for silence', async t => {
  const rate = open({ initial: bitsPerSecond(8e6) })
  const from = report(rate, 10, { isBusy: false, perReport: 10 })
  report(rate, 110, { from, perReport: 10, carried: 0, lost: 10 })
  t.ok(rate.pace <= 2e6, `${rate.pace}`)
})

t.test('does not fall while nothing is sent', async t => {
  const rate = open()
  const from = report(rate, 10, { isBusy: false })
  const before = rate.pace
  for (let at = 0; at < 10_000; at += 20) rate.step(millis(from + at))
  t.equal(rate.pace, before)
})

t.test('keeps its bounds whatever the far end says', async t => {
  const rate = open({ least: bitsPerSecond(2e6), most: bitsPerSecond(50e6) })
  const hostile = [NaN, Infinity, -Infinity, -1e15, 1e15, 0]
  for (let index = 0; index < 2000; index++) {
    const lie = hostile[index % hostile.length] ?? 0
    rate.sent(SIZE, millis(index))
    rate.acknowledged(millis(index), millis(lie), SIZE)
    rate.lost(index % 7 === 0 ? 1000 : 0)
    rate.reported(millis(index), millis(lie), index % 3 > 0)
    rate.step(millis(index))
    if (!(rate.pace >= 2e6 && rate.pace <= 50e6 && rate.capacity >= 2e6 && rate.capacity <= 50e6)) {
      t.fail(`${rate.pace} ${rate.capacity} at ${index}`)
      return
    }
  }
  t.pass('all within')
})

/** 100 Mbit/s until packets begin to wait; then less and less is sent. All that waits comes out at `outOf` at the end. */
function afterQueue(outOf: number): { readonly before: number; readonly after: number } {
  const rate = open({ initial: bitsPerSecond(100e6) })
  let now = report(rate, 100, { perReport: 200 })
  const before = rate.capacity
  // It begins: what is sent in 20 ms arrives in 80.
  const from = now
  now = report(rate, 2, { from, perReport: 200, queue: at => 3 * (at - from) })
  const low = rate.capacity
  t.ok(low < 50e6, `${low}`)
  // A packet every 5 ms for 300 ms, none of which arrives before the last was sent.
  const packets = 60
  for (let packet = 0; packet < packets; packet++) {
    rate.sent(SIZE, millis(now + 5 * packet))
    rate.acknowledged(millis(now + 5 * packet), millis(now + 5 * packets + 20 + (packet * SIZE * 8000) / outOf + OFFSET), SIZE)
  }
  now += 5 * packets
  rate.reported(millis(now + ROUND_TRIP), ROUND_TRIP, true)
  report(rate, 3, { from: now, perReport: Math.ceil(low / 1e6) })
  return { before, after: rate.capacity }
}

t.test('a queue that comes out faster than any path carries was that of a machine that stood still', async t => {
  const { before, after } = afterQueue(500e6)
  t.ok(after > 0.95 * before && after < 1.1 * before, `${after} after ${before}`)
})

t.test('a queue that comes out as fast as the path carries is one of the path', async t => {
  const { before, after } = afterQueue(12e6)
  t.ok(after < before / 2, `${after} after ${before}`)
})
