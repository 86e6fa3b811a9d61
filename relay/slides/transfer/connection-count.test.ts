import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { ConnectionCount } from './connection-count.ts'

const CHUNK = 300_000

/** Runs it over a line: `goodput` in bytes per second with so many connections. @returns The counts over time. */
function run(count: ConnectionCount, goodput: (connections: number, seconds: number) => number, seconds: number, from = 0): number[] {
  const counts: number[] = []
  let now = from * 1000
  while (now < (from + seconds) * 1000) {
    now += (CHUNK * 1000) / goodput(count.count, now / 1000)
    count.completed(CHUNK, true, millis(now))
    counts.push(count.count)
  }
  return counts
}

const fresh = (first = 4) => new ConnectionCount({ least: 1, most: 64, first, interval: millis(1000) })

t.test('where every connection brings its own share, it goes to the most', async t => {
  const count = fresh()
  run(count, connections => connections * 350_000, 120)
  t.equal(count.count, 64)
})

t.test('it gets there in a few intervals', async t => {
  const count = fresh()
  run(count, connections => connections * 350_000, 15)
  t.equal(count.count, 64)
})

t.test('where one connection fills the line, few are kept', async t => {
  const count = fresh()
  const counts = run(count, () => 12_000_000, 60)
  t.ok(Math.max(...counts.slice(counts.length / 2)) <= 5, `${Math.max(...counts)}`)
})

t.test('it stops where more bring nothing', async t => {
  const count = fresh()
  const counts = run(count, connections => Math.min(connections, 20) * 500_000, 120)
  const late = counts.slice(counts.length / 2)
  t.ok(Math.min(...late) >= 14 && Math.max(...late) <= 32, `${Math.min(...late)} to ${Math.max(...late)}`)
})

t.test('it takes connections back when goodput falls, and comes again when it returns', async t => {
  const count = fresh()
  run(count, connections => connections * 350_000, 60)
  run(count, connections => 2_000_000 / (1 + connections / 10), 800, 60)
  t.ok(count.count < 48, `${count.count}`)
  run(count, connections => connections * 350_000, 400, 860)
  t.ok(count.count >= 48, `${count.count}`)
})

t.test('what did not keep its connections busy says nothing', async t => {
  const count = fresh()
  for (let now = 0; now < 100_000; now += 100) count.completed(CHUNK, false, millis(now))
  t.equal(count.count, 4)
})

t.test('never leaves its bounds', async t => {
  let seed = 1
  const random = (): number => ((seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647)
  for (const first of [0, 1, 64, 1000]) {
    const count = fresh(first)
    const counts = run(count, () => 100_000 + random() * 50_000_000, 300)
    t.ok(counts.every(each => Number.isInteger(each) && each >= 1 && each <= 64))
  }
})

t.test('a line that was lost is measured anew', async t => {
  const count = fresh()
  run(count, connections => connections * 350_000, 60)
  count.lost()
  t.equal(count.count, 64)
  // The first reading after the outage is no fall, slow as it is.
  count.completed(CHUNK, true, millis(1_000_000))
  for (let turn = 1; turn <= 128; turn++) count.completed(CHUNK, true, millis(1_000_000 + turn * 1000))
  t.equal(count.count, 64)
})
