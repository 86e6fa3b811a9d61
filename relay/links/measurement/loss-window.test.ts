import fc from 'fast-check'
import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { LossWindow } from './loss-window.ts'

const SEED = 20_261_122
const totalsOf = (window: LossWindow) => ({
  lost: window.lost,
  reordered: window.reordered,
  duplicates: window.duplicates,
  bursts: window.burstsByLength,
  gaps: window.gapsByLength,
})

/** Lets numbers arrive one per millisecond, and waits until all is final. */
function arrive(window: LossWindow, numbers: readonly number[], from = 1000): LossWindow {
  for (const [at, number] of numbers.entries()) window.arrive(number, millis(from + at))
  window.step(millis(from + numbers.length + 1000))
  return window
}

t.test('counts losses by burst, and what came between bursts by gap', async t => {
  // Lost: 3; 7 8; 100..102.
  const numbers = [...Array(200).keys()].filter(number => number !== 3 && number !== 7 && number !== 8 && (number < 100 || number > 102))
  t.same(totalsOf(arrive(new LossWindow(), numbers)), { lost: 6, reordered: 0, duplicates: 0, bursts: [1, 1, 1, 0, 0, 0, 0], gaps: [1, 1, 0, 0, 0] })
})

t.test('puts every burst length in its class', async t => {
  const numbers: number[] = []
  let number = 0
  for (const burst of [1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 400]) {
    numbers.push(number)
    number += burst + 1
  }
  numbers.push(number)
  const window = arrive(new LossWindow(), numbers)
  t.equal(window.lost, 530)
  t.same(window.burstsByLength, [1, 1, 2, 2, 2, 2, 2])
  t.same(window.gapsByLength, [11, 0, 0, 0, 0])
  t.equal(window.bursts, 12)
})

t.test('reordering is no loss, and counts the late ones', async t => {
  const window = arrive(new LossWindow(), [0, 1, 4, 2, 3, 5, 7, 6, 8])
  t.same(totalsOf(window), { lost: 0, reordered: 3, duplicates: 0, bursts: [0, 0, 0, 0, 0, 0, 0], gaps: [0, 0, 0, 0, 0] })
})

t.test('counts every further copy as a duplicate, at the front and behind it', async t => {
  const window = arrive(new LossWindow(), [0, 1, 1, 2, 0, 3, 3, 3])
  t.equal(window.duplicates, 4)
  t.equal(window.reordered, 0)
  t.equal(window.settled, 4)
})

t.test('a loss is final after 200 to 220 ms, and not before', async t => {
  const window = new LossWindow()
  window.arrive(0, millis(1000))
  window.arrive(2, millis(1001))
  for (let now = 1002; now < 1201; now++) window.step(millis(now))
  t.equal(window.lost, 0)
  window.step(millis(1221))
  t.equal(window.lost, 1)
})

t.test('a loss is final once 16,384 later numbers have room, however fast they came', async t => {
  const window = new LossWindow()
  window.arrive(0, millis(1000))
  for (let number = 2; number <= 16_384; number++) window.arrive(number, millis(1000))
  t.equal(window.lost, 0)
  window.arrive(16_385, millis(1000))
  t.equal(window.lost, 1)
})

t.test('one that arrives after it was counted lost takes the place of the next loss', async t => {
  const window = new LossWindow()
  arrive(window, [0, 2, 3])
  t.equal(window.lost, 1)
  t.equal(window.arrive(1, millis(3000)), 'fresh')
  t.equal(window.lost, 1, 'totals only grow')
  t.equal(window.arrive(1, millis(3001)), 'duplicate')
  arrive(window, [5, 7], 4000)
  t.equal(window.lost, 2, 'lost in the end: 4 and 6')
})

t.test('what is below the first number that arrived was not lost here', async t => {
  const window = arrive(new LossWindow(), [1000, 990, 1001])
  t.equal(window.lost, 0)
  t.equal(window.reordered, 1)
  arrive(window, [1003], 5000)
  t.equal(window.lost, 1)
})

t.test('an outage of a million datagrams is one burst, counted without counting', async t => {
  const window = new LossWindow()
  window.arrive(10, millis(1000))
  window.arrive(1_000_011, millis(20_000))
  window.step(millis(21_000))
  t.equal(window.lost, 1_000_000)
  t.equal(window.bursts, 1)
  t.equal(window.settled, 1_000_002)
})

t.test('the ring comes round many times, also beyond 32 bits, without a wrong count', async t => {
  for (const from of [0, 2 ** 31 - 50_000, 2 ** 32 - 50_000, 2 ** 47 + 12_345]) {
    const window = new LossWindow()
    let now = 1000
    for (let number = from; number < from + 150_000; number++, now += 0.02) if ((number - from) % 1000 !== 999) window.arrive(number, millis(now))
    window.step(millis(now + 1000))
    t.equal(window.lost, 149, String(from))
    t.equal(window.bursts, 149)
    t.equal(window.duplicates, 0)
    t.same(window.gapsByLength, [0, 0, 148, 0, 0])
  }
})

t.test('a number from nowhere changes nothing; a thousand in a row begin a new sequence', async t => {
  const window = new LossWindow()
  for (let number = 50_000; number < 50_100; number++) window.arrive(number, millis(1000))
  for (const wild of [50_100 + 2 ** 23, 2 ** 48 - 1, 2 ** 48, 0, 1]) t.equal(window.arrive(wild, millis(1001)), 'astray')
  window.arrive(50_100, millis(1002))
  window.step(millis(2000))
  t.equal(window.lost, 0)
  t.equal(window.settled, 101)
  const outcomes = new Set<string>()
  for (let number = 2 ** 40; number < 2 ** 40 + 1025; number++) outcomes.add(window.arrive(number, millis(3000)))
  t.same([...outcomes], ['astray', 'fresh'])
  t.equal(window.arrive(2 ** 40 + 1026, millis(3001)), 'fresh')
  window.step(millis(4000))
  t.equal(window.lost, 1, 'only what was missing within the new sequence')
})

t.test('after the last number of 48 bits, counting goes on from nought', async t => {
  const window = new LossWindow()
  for (let number = 2 ** 48 - 100; number < 2 ** 48; number++) window.arrive(number, millis(1000))
  for (let number = 0; number < 2000; number++) if (number !== 1500) window.arrive(number, millis(1001))
  window.step(millis(2000))
  t.equal(window.lost, 1)
})

t.test('a clock that jumps by hours does not finish anything early, nor stop counting', async t => {
  const window = new LossWindow()
  window.arrive(0, millis(9e6))
  window.arrive(2, millis(9e6 + 1))
  window.step(millis(1e6))
  window.step(millis(1e6 + 190))
  t.equal(window.lost, 0)
  window.step(millis(1e6 + 240))
  t.equal(window.lost, 1)
})

t.test('wild numbers at any rate take bounded work', async t => {
  const window = new LossWindow()
  let number = 0
  const began = process.cpuUsage()
  for (let at = 0; at < 100_000; at++) {
    number += [40_000, 2 ** 21, 16_000, 1][at % 4] ?? 0
    window.arrive(number, millis(1000 + at / 50))
  }
  const { user } = process.cpuUsage(began)
  t.ok(user < 5e6, `${user / 1e5} µs each`)
})

t.test('agrees with counting at leisure, over random networks', async t => {
  const packet = fc.record({ isLost: fc.boolean(), isTwice: fc.integer({ min: 0, max: 9 }), delay: fc.integer({ min: 0, max: 150 }) })
  fc.assert(
    fc.property(fc.array(packet, { minLength: 2, maxLength: 400 }), fc.integer({ min: 0, max: 2 ** 40 }), (packets, first) => {
      // The first and the last arrive, at once: losses before and after them cannot be known.
      const fates = packets.map((fate, at) => (at === 0 || at === packets.length - 1 ? { isLost: false, isTwice: 1, delay: at === 0 ? 0 : 150 } : fate))
      const arrivals = fates.flatMap(({ isLost, isTwice, delay }, at) => {
        if (isLost) return []
        const one = { number: first + at, now: 1000 + at + delay }
        return isTwice === 0 ? [one, { ...one, now: one.now + 20 }] : [one]
      })
      arrivals.sort((one, other) => one.now - other.now)
      const window = new LossWindow()
      for (const { number, now } of arrivals) window.arrive(number, millis(now))
      window.step(millis(9000))
      const seen = new Set<number>()
      let reordered = 0
      let highest = -1
      for (const { number } of arrivals) {
        if (!seen.has(number) && number < highest) reordered++
        seen.add(number)
        highest = Math.max(highest, number)
      }
      const lost = fates.filter(fate => fate.isLost).length
      const bursts = fates.filter((fate, at) => fate.isLost && fates[at - 1]?.isLost === false).length
      const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count)
      t.equal(window.lost, lost)
      t.equal(window.bursts, bursts)
      t.equal(sumOf(window.burstsByLength), bursts)
      t.equal(sumOf(window.gapsByLength), Math.max(0, bursts - 1))
      t.equal(window.reordered, reordered)
      t.equal(window.duplicates, arrivals.length - seen.size)
      t.equal(window.settled, fates.length)
      return t.passing()
    }),
    { seed: SEED, numRuns: 300 },
  )
})
