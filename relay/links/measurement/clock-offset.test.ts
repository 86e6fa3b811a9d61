import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { ClockOffset } from './clock-offset.ts'
import type { ExchangeOutcome } from './clock-offset.ts'

const HOUR = 3_600_000

/** Two ends whose true offset and one-way delays the test knows. */
class Line {
  /** Our clock; the true time of the test. */
  now = 1_000_000
  /** The far end's clock less true time; ours less true time. */
  theirs: number
  ours = 0
  /** Gain of the far end's clock, per millisecond. */
  drift = 0
  #state = 20_261_122
  readonly #forth: () => number
  readonly #back: () => number

  constructor(theirs: number, forth: (random: number) => number, back: (random: number) => number) {
    this.theirs = theirs
    this.#forth = () => forth(this.random())
    this.#back = () => back(this.random())
  }

  random(): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647
    return this.#state / 2_147_483_647
  }

  get offset(): number {
    return this.theirs + this.drift * (this.now - 1_000_000) - this.ours
  }

  exchange(clock: ClockOffset): ExchangeOutcome {
    const sentAt = this.now + this.ours
    this.now += this.#forth()
    const receivedAt = this.now + this.ours + this.offset
    this.now += 0.3
    const repliedAt = this.now + this.ours + this.offset
    this.now += this.#back()
    const outcome = clock.exchange(millis(sentAt), millis(receivedAt), millis(repliedAt), millis(this.now + this.ours))
    this.now += 100
    return outcome
  }
}

t.test('an even line gives the offset and the round trip exactly', async t => {
  const clock = new ClockOffset()
  t.equal(clock.exchange(millis(1000), millis(6020), millis(6025), millis(1045)), 'used')
  t.same([clock.offset, clock.roundTrip, clock.roundTripVariation, clock.shortestRoundTrip, clock.offsetError], [5000, 40, 20, 40, 20])
})

t.test('smooths the round trip as RFC 6298 section 2 says', async t => {
  const clock = new ClockOffset()
  let smoothed: number | undefined
  let variation = 0
  let now = 1000
  for (const roundTrip of [40, 44, 40, 90, 41, 40, 52]) {
    clock.exchange(millis(now), millis(now + roundTrip / 2), millis(now + roundTrip / 2), millis(now + roundTrip))
    now += 500
    if (smoothed === undefined) {
      smoothed = roundTrip
      variation = roundTrip / 2
    } else {
      variation = 0.75 * variation + 0.25 * Math.abs(smoothed - roundTrip)
      smoothed = 0.875 * smoothed + 0.125 * roundTrip
    }
  }
  t.equal(clock.roundTrip?.toFixed(9), smoothed?.toFixed(9))
  t.equal(clock.roundTripVariation.toFixed(9), variation.toFixed(9))
  t.equal(clock.shortestRoundTrip, 40)
})

t.test('queues in one direction do not move the offset', async t => {
  const clock = new ClockOffset()
  const line = new Line(-7 * HOUR, random => 20 + (random < 0.2 ? random * 5 : random * 200), () => 20)
  let worst = 0
  for (let at = 0; at < 600; at++) {
    t.equal(line.exchange(clock), 'used')
    if (at > 20) worst = Math.max(worst, Math.abs((clock.offset ?? 0) - line.offset))
  }
  t.ok(worst < 1.5, `off by up to ${worst} ms`)
})

t.test('an asymmetric line is off by half the difference, and says by how much it may be', async t => {
  const clock = new ClockOffset()
  const line = new Line(123, random => 30 + random, random => 10 + random)
  for (let at = 0; at < 100; at++) line.exchange(clock)
  t.ok(Math.abs((clock.offset ?? 0) - (123 + 10)) < 0.6, String(clock.offset))
  t.ok(Math.abs((clock.offset ?? 0) - line.offset) <= (clock.offsetError ?? 0))
})

t.test('follows a clock that drifts by 50 ppm', async t => {
  const clock = new ClockOffset()
  const line = new Line(1000, random => 10 + random * 10, random => 10 + random * 10)
  line.drift = 50e-6
  let worst = 0
  for (let at = 0; at < 5000; at++) {
    line.exchange(clock)
    if (at > 100) worst = Math.max(worst, Math.abs((clock.offset ?? 0) - line.offset))
  }
  t.equal(clock.steps, 0)
  t.equal(clock.refusals, 0)
  t.ok(worst < 3, `off by up to ${worst} ms`)
})

for (const [name, step] of [
  ['the far end sets its clock forward by hours', (line: Line) => (line.theirs += 5 * HOUR)],
  ['the far end sets its clock back by hours', (line: Line) => (line.theirs -= 5 * HOUR)],
  ['our clock is set forward by hours', (line: Line) => (line.ours += 5 * HOUR)],
  ['our clock is set back by hours', (line: Line) => (line.ours -= 5 * HOUR)],
  ['a clock is set by 200 ms', (line: Line) => (line.theirs += 200)],
] as const) {
  t.test(`${name}: a step, reported once, after three exchanges`, async t => {
    const clock = new ClockOffset()
    const line = new Line(2 * HOUR, random => 10 + random * 30, random => 10 + random * 30)
    for (let at = 0; at < 100; at++) line.exchange(clock)
    const before = clock.offset ?? 0
    step(line)
    t.same([line.exchange(clock), line.exchange(clock), line.exchange(clock), line.exchange(clock)], ['refused', 'refused', 'stepped', 'used'])
    for (let at = 0; at < 40; at++) t.equal(line.exchange(clock), 'used')
    t.ok(Math.abs((clock.offset ?? 0) - line.offset) < 5, String((clock.offset ?? 0) - line.offset))
    t.equal(clock.steps, 1)
    t.ok(Math.abs((clock.lastStep ?? 0) - (line.offset - before)) < 30, String(clock.lastStep))
    t.ok((clock.shortestRoundTrip ?? -1) >= 20 && (clock.roundTrip ?? 1e9) < 80)
  })
}

t.test('a clock that is set in the middle of an exchange spoils that one only', async t => {
  const clock = new ClockOffset()
  for (let at = 0; at < 10; at++) clock.exchange(millis(at * 100), millis(at * 100 + 10), millis(at * 100 + 10), millis(at * 100 + 20))
  t.equal(clock.exchange(millis(1000), millis(1010), millis(1010), millis(1020 + HOUR)), 'refused')
  t.equal(clock.exchange(millis(1000), millis(1010), millis(1010), millis(1020 - HOUR)), 'refused')
  t.equal(clock.exchange(millis(1000), millis(1010), millis(1010 + HOUR), millis(1020)), 'refused')
  t.same([clock.offset, clock.roundTrip, clock.refusals, clock.steps], [0, 20, 3, 0])
})

t.test('refuses what cannot be, and keeps what it knew', async t => {
  const clock = new ClockOffset()
  clock.exchange(millis(1000), millis(1010), millis(1011), millis(1021))
  const absurd = [
    [2000, 2010, 2050, 2020],
    [2000, 2020, 2010, 2040],
    [2000, 1990, 1990, 1999],
    [NaN, 2010, 2010, 2020],
    [2000, Infinity, Infinity, 2020],
    [2000, 2010, NaN, 2020],
    [2000, 2010, 2010, 2000 + 61_000],
  ]
  for (const [sentAt = 0, receivedAt = 0, repliedAt = 0, arrivedAt = 0] of absurd) {
    t.equal(clock.exchange(millis(sentAt), millis(receivedAt), millis(repliedAt), millis(arrivedAt)), 'refused', [sentAt, receivedAt, repliedAt, arrivedAt].join(' '))
  }
  t.equal(clock.refusals, absurd.length)
  t.same([clock.offset, clock.roundTrip], [0, 20])
})

t.test('a far end that answers with another clock each time moves nothing', async t => {
  const clock = new ClockOffset()
  const line = new Line(0, () => 10, () => 10)
  for (let at = 0; at < 10; at++) line.exchange(clock)
  for (let at = 0; at < 50; at++) {
    line.theirs = (line.random() - 0.5) * 100 * HOUR
    t.equal(line.exchange(clock), 'refused')
  }
  t.equal(clock.offset, 0)
  t.equal(clock.steps, 0)
})

t.test('an old exchange gives way to a new one that is hardly slower', async t => {
  const clock = new ClockOffset()
  clock.exchange(millis(1000), millis(1020), millis(1020), millis(1040))
  clock.exchange(millis(1100), millis(1121), millis(1121), millis(1140.5))
  t.equal(clock.offset, 0, 'the shorter one counts')
  clock.exchange(millis(51_000), millis(51_021), millis(51_021), millis(51_040.5))
  t.equal(clock.offset, 0.75, '50 s of drift weigh more than half a millisecond')
})

t.test('what drifted apart in an hour of silence is no step', async t => {
  const clock = new ClockOffset()
  clock.exchange(millis(0), millis(10), millis(10), millis(20))
  t.equal(clock.exchange(millis(HOUR), millis(HOUR + 370), millis(HOUR + 370), millis(HOUR + 20)), 'used')
  t.equal(clock.offset, 360)
  t.equal(clock.steps, 0)
})

t.test('a rounding error below nothing is no negative round trip', async t => {
  const clock = new ClockOffset()
  t.equal(clock.exchange(millis(1000), millis(1000), millis(1000.012), millis(1000.01)), 'used')
  t.equal(clock.roundTrip, 0)
})

t.test('the shortest round trip is forgotten after a minute: routes change', async t => {
  const clock = new ClockOffset()
  let now = 0
  const exchange = (roundTrip: number): void => {
    clock.exchange(millis(now), millis(now + roundTrip / 2), millis(now + roundTrip / 2), millis(now + roundTrip))
    now += 1000
  }
  exchange(10)
  for (let at = 0; at < 58; at++) exchange(40)
  t.equal(clock.shortestRoundTrip, 10)
  for (let at = 0; at < 3; at++) exchange(40)
  t.equal(clock.shortestRoundTrip, 40)
})
