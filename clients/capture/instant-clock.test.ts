import t from 'tap'
import { rtpElapsed } from '../../relay/wire/rtp-clock.ts'
import { millis, rtpTimestamp } from '../../relay/wire/units.ts'
import { InstantClock } from './instant-clock.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'

const INTERVAL = millis(1000 / 30)
const STEP = 3000
const clockAt = (origin: number): InstantClock => new InstantClock({ origin: rtpTimestamp(origin), frameInterval: INTERVAL })
const place = (clock: InstantClock, image: number, atMillis: number): RtpTimestamp => clock.timestampOf(image * STEP, millis(atMillis))!

t.test('gives all renditions of one image the same timestamp, whenever they come', async t => {
  const clock = clockAt(500)
  t.equal(place(clock, 0, 0), 500)
  t.equal(place(clock, 1, 33), 3500)
  t.equal(place(clock, 0, 40), 500)
  t.equal(place(clock, 1, 90), 3500)
})

t.test('keeps the nominal grid while images come about when they should', async t => {
  const clock = clockAt(0)
  const jitter = [0, 9, -7, 12, 3, -11, 20, 0]
  const placed = jitter.map((late, image) => place(clock, image, image * INTERVAL + late + 50))
  t.same(placed, jitter.map((_, image) => image * STEP))
})

t.test('follows the wall clock when the encoder runs at half speed', async t => {
  const clock = clockAt(0)
  const placed = Array.from({ length: 60 }, (_, image) => place(clock, image, image * 2 * INTERVAL))
  const elapsed = rtpElapsed(placed[0]!, placed.at(-1)!) / 90
  t.ok(Math.abs(elapsed - 59 * 2 * INTERVAL) <= 2 * INTERVAL, `${elapsed} ms of RTP time`)
  t.ok(placed.every((timestamp, image) => image === 0 || timestamp > placed[image - 1]!), 'and only grows')
})

t.test('does not run ahead of time when a stalled source catches up', async t => {
  const clock = clockAt(0)
  place(clock, 0, 0)
  place(clock, 1, 2000)
  let last = 0
  for (let image = 2; image < 60; image++) last = place(clock, image, 2000 + image)
  t.ok(last / 90 < 2000 + 58 * INTERVAL * 0.7, `${last / 90} ms of RTP time`)
})

t.test('goes on over 32 bits and over restarts of the source', async t => {
  const clock = clockAt(0xffff_ffff - 1000)
  const before = place(clock, 0, 0)
  const wrapped = place(clock, 1, 33)
  t.equal(rtpElapsed(before, wrapped), STEP)
  clock.restart()
  const restarted = place(clock, 0, 1033)
  t.equal(rtpElapsed(wrapped, restarted), 1033 * 90 - STEP)
})

t.test('refuses an image that was skipped, and remembers only so many', async t => {
  const clock = clockAt(0)
  place(clock, 5, 0)
  t.equal(clock.timestampOf(4 * STEP, millis(1)), undefined)
  for (let image = 6; image < 1100; image++) place(clock, image, image * INTERVAL)
  t.equal(clock.timestampOf(5 * STEP, millis(1)), undefined)
})

t.test('says in the lowest bit which images are coarse, without drifting, over 32 bits', async t => {
  for (const origin of [0, 501, 0xffff_ffff - 4000]) {
    const clock = clockAt(origin)
    const isCoarse = [false, true, true, false, true, false, false, true]
    const placed = isCoarse.map((coarse, image) => clock.timestampOf(image * STEP, millis(image * INTERVAL), coarse)!)
    t.same(placed.map(timestamp => timestamp % 2 === 1), isCoarse)
    t.ok(placed.every((timestamp, image) => Math.abs(rtpElapsed(rtpTimestamp(origin + image * STEP), timestamp)) <= 1), 'at most a tick from where they belong')
    t.equal(clock.timestampOf(STEP, millis(500), true), placed[1], 'the same for every rendition')
  }
})

t.test('grows with marks even where the source hurries to catch up', async t => {
  const clock = clockAt(0)
  let last = clock.timestampOf(0, millis(0), true)!
  for (let image = 1; image < 400; image++) {
    const next = clock.timestampOf(image * 2, millis(0), image % 3 === 0)!
    t.ok(rtpElapsed(last, next) > 0)
    last = next
  }
})
