import { t } from 'tap'
import { bitsPerSecond, bytes, millis } from '../../wire/units.ts'
import { arrivalCode } from '../carrier/frames.ts'
import { OutgoingPath } from './outgoing-path.ts'
import type { BitsPerSecond, Millis } from '../../wire/units.ts'
import type { RateControl } from './rate-control.ts'

const PACE = bitsPerSecond(80e6)
const SIZE = bytes(1000)

/** Allows a fixed pace and writes down what it is told. */
class NotedRate implements RateControl {
  readonly pace: BitsPerSecond = PACE
  readonly capacity: BitsPerSecond = PACE
  readonly isProven = true
  readonly queueingDelay = millis(0)
  readonly acknowledgements: [sentAt: number, arrivedAt: number][] = []
  losses = 0
  sent = (): void => undefined
  step = (): void => undefined
  reported = (): void => undefined
  acknowledged(sentAt: Millis, arrivedAt: Millis): void {
    this.acknowledgements.push([sentAt, arrivedAt])
  }
  lost(count: number): void {
    this.losses += count
  }
}

function open() {
  const rate = new NotedRate()
  const path = new OutgoingPath(rate, [1])
  const send = (count: number, now: number): void => {
    for (let packet = 0; packet < count; packet++) path.send(SIZE, true, millis(now))
  }
  const hear = (largest: number, arrivals: readonly number[], now: number, hold = 0, largestArrivedAt = 1000 * now): void => {
    path.feedback({ path: 0, largest, largestArrivedAt, hold, arrivals: Uint16Array.from(arrivals) }, millis(now))
  }
  return { rate, path, send, hear }
}

const CAME = arrivalCode(0)

t.test('packet numbers grow by one, and the pace is kept', async t => {
  const { path } = open()
  let number = 0
  for (let now = 0; now < 1000; now++) while (path.canSend(millis(now))) t.equal(path.send(SIZE, true, millis(now)), ++number)
  t.ok(Math.abs((number * 8000) / 80e6 - 1) < 0.01, `${number} packets`)
  t.equal(path.sentPackets, number)
  t.equal(path.sentBytes, number * SIZE)
})

t.test('a timer that comes late lets no more than a burst go', async t => {
  const { path } = open()
  path.canSend(millis(0))
  let sent = 0
  for (; path.canSend(millis(5000)); sent++) path.send(SIZE, true, millis(5000))
  t.ok(sent * SIZE * 8 <= 80e6 * 0.005, `${sent} packets`)
  t.ok(path.freeAt >= 5000 && path.freeAt < 5001)
})

t.test('feedback tells the rate control when each packet came', async t => {
  const { rate, path, send, hear } = open()
  send(3, 100)
  hear(3, [arrivalCode(0), arrivalCode(2), arrivalCode(6)], 140, 5000, 120_000)
  t.same(rate.acknowledgements.map(([sentAt, arrivedAt]) => [sentAt, Math.round(arrivedAt)]), [[100, 114], [100, 118], [100, 120]])
  t.equal(path.roundTrip, 35)
  t.equal(path.provenAt, 140)
  hear(3, [CAME, CAME, CAME], 150)
  t.equal(rate.acknowledgements.length, 3, 'and each once')
})

t.test('a packet is lost when three later ones came, and once', async t => {
  const { rate, path, send, hear } = open()
  send(10, 0)
  hear(4, [CAME, CAME, 0, CAME], 40)
  t.equal(rate.losses, 0, '2 may only have been overtaken')
  hear(6, [CAME, CAME, CAME, CAME, 0, CAME], 41)
  hear(6, [CAME, CAME, CAME, CAME, 0, CAME], 42)
  t.equal(rate.losses, 1)
  t.equal(path.lost, 1)
})

t.test('lies are counted and change nothing', async t => {
  const { rate, path, send, hear } = open()
  send(5, 100)
  hear(6, [CAME], 140)
  hear(0, [CAME], 140)
  hear(2 ** 47, [CAME], 140)
  // Held for longer than the packet was away.
  hear(5, [CAME], 140, 41_000)
  t.equal(path.lies, 4)
  t.equal(path.answered(-1, millis(140)), false)
  t.equal(path.answered(NaN, millis(140)), false)
  t.equal(path.answered(Infinity, millis(140)), false)
  t.equal(path.lies, 7)
  t.equal(path.provenAt, undefined)
  t.notOk(path.hasRoundTrip)
  t.same(rate.acknowledgements, [])
})

t.test('what was sent so long ago that its place is taken is not mistaken for what took it', async t => {
  const { rate, path, send, hear } = open()
  send(70_000, 0)
  send(1, 1000)
  hear(4465, [CAME], 1040)
  t.equal(path.provenAt, undefined)
  t.same(rate.acknowledgements, [])
})

t.test('feedback that reaches back before the first packet is read as far as there are packets', async t => {
  const { rate, send, hear } = open()
  send(2, 0)
  hear(2, new Array<number>(500).fill(CAME), 40)
  t.equal(rate.acknowledgements.length, 2)
})

t.test('the round trip is smoothed, and the shortest is forgotten after a while', async t => {
  const { path } = open()
  path.answered(40, millis(0))
  t.same([path.roundTrip, path.variation, path.shortestRoundTrip], [40, 20, 40])
  path.answered(48, millis(25))
  t.same([path.roundTrip, path.variation, path.shortestRoundTrip], [41, 17, 40])
  path.answered(60, millis(30_100))
  t.equal(path.shortestRoundTrip, 60)
})

t.test('arrival times go on past 2^32 microseconds', async t => {
  const { rate, send, hear } = open()
  send(1, 0)
  hear(1, [CAME], 40, 0, 2 ** 32 - 1000)
  send(1, 10)
  hear(2, [CAME], 50, 0, 9000)
  const [[, first], [, second]] = rate.acknowledgements as [[number, number], [number, number]]
  t.ok(Math.abs(second - first - 10) < 0.01)
})

/** Sends all that the pace allows at a moment. @returns How many packets of 1250 bytes left. */
function fill(path: OutgoingPath, now: number): number {
  let sent = 0
  for (; path.canSend(millis(now)); sent++) path.send(bytes(1250), true, millis(now))
  return sent
}

t.test('what a late timer kept from leaving is made up for without a burst, as far as a queue may have bridged it', async t => {
  const { rate, path } = open()
  const perMilli = rate.pace / 8000 / 1250
  fill(path, 0)
  for (let now = 1; now <= 20; now++) fill(path, now)
  const burst = fill(path, 26)
  t.ok(burst <= 2.5 * perMilli + 2, 'no more leaves at once')
  let sent = burst
  for (let now = 27; now <= 60; now++) {
    const step = fill(path, now)
    t.ok(step <= 1.25 * perMilli + 1)
    sent += step
  }
  t.ok(Math.abs(sent - 40 * perMilli) <= 2, 'on the whole it is what the pace allows')
  const late = fill(path, 160)
  let after = late
  for (let now = 161; now <= 260; now++) after += fill(path, now)
  t.ok(after <= (100 + 2.5 + 6) * perMilli + 2, 'what was missed for longer is given up')
})

t.test('nothing is made up for while nothing waited', async t => {
  const { rate, path } = open()
  const perMilli = rate.pace / 8000 / 1250
  fill(path, 0)
  path.ranDry()
  let sent = 0
  for (let now = 100; now < 150; now++) sent += fill(path, now)
  t.ok(sent <= (49 + 2.5) * perMilli + 2)
})
