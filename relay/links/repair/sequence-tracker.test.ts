import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { SequenceTracker } from './sequence-tracker.ts'
import type { RepairConditions } from './sequence-tracker.ts'

const CONDITIONS: RepairConditions = { roundTrip: millis(40), variation: millis(2), budget: 160 }
const FOR_EVER: RepairConditions = { ...CONDITIONS, budget: Infinity }

/** Packets that arrive first-hand on path 0. */
function receive(tracker: SequenceTracker, numbers: readonly number[], now: number): (number | undefined)[] {
  return numbers.map(number => tracker.received(number, 0, false, false, millis(now)))
}

/** Steps once a millisecond. @returns What was asked for, and when. */
function run(tracker: SequenceTracker, from: number, to: number, conditions = CONDITIONS) {
  const asked: { at: number; first: number; count: number; round: number; copy: number }[] = []
  let givenUpAt: number | undefined
  for (let now = from; now < to; now++) {
    const { ranges, givenUp } = tracker.step(millis(now), conditions)
    for (const range of ranges) asked.push({ at: now, ...range })
    if (givenUp > 0) givenUpAt = now
  }
  return { asked, givenUpAt }
}

t.test('a gap is asked for, at first after a moment in which it may close by itself', async t => {
  const tracker = new SequenceTracker()
  receive(tracker, [1, 2, 5], 0)
  t.equal(tracker.missingCount, 2)
  t.equal(tracker.firstMissing, 3)
  t.equal(tracker.cumulative, 2)
  t.same(tracker.step(millis(0), CONDITIONS).ranges, [])
  t.same(tracker.step(millis(1), CONDITIONS).ranges, [{ first: 3, count: 2, round: 1, copy: 0 }])
  receive(tracker, [4, 3], 2)
  t.equal(tracker.missingCount, 0)
  t.equal(tracker.firstMissing, undefined)
  t.equal(tracker.cumulative, 5)
  t.same(run(tracker, 2, 400).asked, [])
})

t.test('each request goes out more than once, and rounds follow when an answer should have come', async t => {
  const tracker = new SequenceTracker()
  tracker.usePaths([{ index: 0, oneWay: millis(20) }])
  receive(tracker, [1, 3], 0)
  const { asked, givenUpAt } = run(tracker, 0, 400)
  t.ok(asked.every((one, index) => one.round >= (asked[index - 1]?.round ?? 1)))
  for (const round of [1, 2]) t.same(asked.filter(one => one.round === round).map(({ copy }) => copy), [0, 1, 2], `round ${round}`)
  const firsts = asked.filter((one, index) => asked[index - 1]?.round !== one.round)
  for (const [index, { at }] of firsts.entries()) if (index > 0) t.ok(at - firsts[index - 1]!.at >= 40, 'not before a round trip is over')
  // The lost packet left half a round trip before the gap was seen; after 160 ms it is of no use.
  t.equal(givenUpAt, 140)
  t.ok(asked.filter((one, index) => asked[index - 1]?.round !== one.round).every(({ at }) => at + 40 <= 140), 'an answer to every first request can be in time')
  t.ok(firsts.length >= 2)
})

t.test('no request that cannot be answered in time', async t => {
  const tracker = new SequenceTracker()
  receive(tracker, [1, 3], 0)
  const { asked, givenUpAt } = run(tracker, 0, 200, { roundTrip: millis(100), variation: millis(1), budget: 120 })
  t.same(asked, [])
  t.equal(givenUpAt, 70)
  t.equal(tracker.missingCount, 0)
})

t.test('what is given up and comes all the same is not taken', async t => {
  const tracker = new SequenceTracker()
  receive(tracker, [1, 3], 0)
  run(tracker, 0, 200)
  t.same(receive(tracker, [2], 210), [undefined])
  t.same(receive(tracker, [4], 211), [4])
})

t.test('what is always of use is asked for until it comes', async t => {
  const tracker = new SequenceTracker()
  receive(tracker, [1, 3], 0)
  const { asked, givenUpAt } = run(tracker, 0, 30_000, FOR_EVER)
  t.equal(givenUpAt, undefined)
  t.ok(asked.length > 500)
  t.equal(tracker.received(2, 0, true, false, millis(30_000)), 2)
  t.equal(tracker.takeRepaired(), 1)
  t.equal(tracker.takeLost(), 1)
})

t.test('the first packets of a class are asked for like any others, however late it begins', async t => {
  const tracker = new SequenceTracker()
  receive(tracker, [4], 60_000)
  const { asked, givenUpAt } = run(tracker, 60_000, 60_050)
  t.match(asked[0], { first: 1, count: 3, round: 1 })
  t.equal(givenUpAt, undefined)
})

t.test('nothing is taken twice', async t => {
  const tracker = new SequenceTracker()
  t.same(receive(tracker, [1, 2, 2, 1, 4, 4, 3, 3], 0), [1, 2, undefined, undefined, 4, undefined, 3, undefined])
  t.notOk(tracker.recovered(5), 'nor recovered before it is known of')
  receive(tracker, [6], 1)
  t.ok(tracker.recovered(5))
  t.notOk(tracker.recovered(5))
  t.same(receive(tracker, [5], 2), [undefined])
})

t.test('the packets of a spread class are missing only when all its paths are past them', async t => {
  const tracker = new SequenceTracker()
  tracker.usePaths([{ index: 0, oneWay: millis(10) }, { index: 1, oneWay: millis(60) }])
  const on = (path: number, number: number, now: number): number | undefined => tracker.received(number, path, false, true, millis(now))
  on(0, 1, 0)
  on(1, 2, 0)
  on(0, 4, 1)
  // 3 may still be under way on the slow path.
  t.same(run(tracker, 1, 40).asked, [])
  on(1, 5, 40)
  t.same(run(tracker, 40, 44).asked.map(({ first, at }) => [first, at]), [[3, 41]])
})

t.test('a spread class whose other path is silent does not wait for it for ever', async t => {
  const tracker = new SequenceTracker()
  tracker.usePaths([{ index: 0, oneWay: millis(10) }, { index: 1, oneWay: millis(30) }])
  tracker.received(1, 0, false, true, millis(0))
  tracker.received(3, 0, false, true, millis(0))
  const [first] = run(tracker, 0, 200, FOR_EVER).asked
  t.ok(first !== undefined && first.at >= 20 && first.at <= 60, `${first?.at}`)
})

t.test('waits longer for overtaken packets once it has seen some, and forgets it again', async t => {
  const tracker = new SequenceTracker()
  receive(tracker, [1, 3], 0)
  receive(tracker, [2], 16)
  receive(tracker, [5], 20)
  t.same(run(tracker, 20, 39).asked, [], 'one that came 16 ms late teaches to wait 20 ms')
  t.equal(run(tracker, 39, 45).asked[0]?.first, 4)
  const later = new SequenceTracker()
  receive(later, [1, 3], 0)
  receive(later, [2], 16)
  receive(later, [4], 199_999)
  receive(later, [6], 200_000)
  t.equal(run(later, 200_000, 200_010).asked[0]?.at, 200_001)
})

t.test('a tail tells of the lost end of a burst', async t => {
  const tracker = new SequenceTracker()
  receive(tracker, [1], 0)
  tracker.tail(3, 0, millis(1))
  t.equal(tracker.highest, 3)
  t.equal(tracker.missingCount, 2)
  t.same(tracker.step(millis(5), CONDITIONS).ranges, [{ first: 2, count: 2, round: 1, copy: 0 }])
  tracker.tail(2, 0, millis(6))
  tracker.tail(3 + 2 ** 31, 0, millis(6))
  t.equal(tracker.highest, 3, 'neither an old one nor one of nonsense moves anything')
  t.same(receive(tracker, [2, 3], 7), [2, 3])
})

t.test('numbers go on past 2^32', async t => {
  const tracker = new SequenceTracker()
  // By steps of less than half the range, as no sender would.
  for (const wire of [1, 2 ** 30, 2 ** 31, 3 * 2 ** 30, 2 ** 32 - 2]) receive(tracker, [wire], 0)
  t.same(receive(tracker, [2 ** 32 - 1, 0, 2], 1), [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 2])
  t.equal(tracker.missingCount, 1)
  t.same(tracker.step(millis(3), CONDITIONS).ranges, [{ first: 2 ** 32 + 1, count: 1, round: 1, copy: 0 }])
  t.same(receive(tracker, [1], 4), [2 ** 32 + 1])
})

t.test('a jump that cannot be repaired asks for nothing, and what follows it is taken', async t => {
  const tracker = new SequenceTracker()
  receive(tracker, [1, 3], 0)
  t.same(receive(tracker, [100_000, 100_001], 1), [100_000, 100_001])
  t.equal(tracker.missingCount, 0)
  t.same(receive(tracker, [99_000], 2), [undefined], 'what is before it is of no use any more')
  t.equal(tracker.step(millis(3), CONDITIONS).givenUp, 99_997, 'and all of that is counted')
})

t.test('whoever leaves out more than lines lose is not worth the memory', async t => {
  const tracker = new SequenceTracker()
  let number = 1
  let givenUp = 0
  for (let round = 0; round < 2000; round++) {
    receive(tracker, [(number += 30_000) % 2 ** 32], round)
    givenUp += tracker.step(millis(round), FOR_EVER).givenUp
  }
  t.ok(tracker.missingCount <= 1 << 15)
  t.equal(givenUp + tracker.missingCount, number - 2000, 'every packet that did not come is missing or given up')
  t.ok((tracker.firstMissing ?? Infinity) > number - 70_000)
})

t.test('thousands of missing packets come back in order, in ranges that frames have room for', async t => {
  const tracker = new SequenceTracker()
  receive(tracker, [1, 20_000], 0)
  t.equal(tracker.missingCount, 19_998)
  const wanted = new Set<number>()
  for (let now = 1; now < 4; now++) {
    const { ranges } = tracker.step(millis(now), FOR_EVER)
    for (const { first, count } of ranges) {
      t.ok(count <= 255)
      for (let number = first; number < first + count; number++) wanted.add(number)
    }
  }
  t.equal(wanted.size, 19_998)
  for (let number = 2; number < 20_000; number++) {
    tracker.received(number, 0, true, false, millis(50))
    if (tracker.cumulative !== (number === 19_999 ? 20_000 : number)) t.fail(`${number}: ${tracker.cumulative}`)
  }
  t.equal(tracker.missingCount, 0)
})
