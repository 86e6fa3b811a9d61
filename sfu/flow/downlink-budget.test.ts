import t from 'tap'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { DownlinkBudget, INITIAL_DOWNLINK } from './downlink-budget.ts'

const reading = (available: number, flowing: number, roundTrip = 40, lossRatio = 0.06) => ({
  available: bitsPerSecond(available), flowing: bitsPerSecond(flowing), roundTrip: millis(roundTrip), lossRatio,
})

t.test('takes a small estimate for no limit while little flows', async t => {
  const budget = new DownlinkBudget()
  for (let now = 0; now < 5000; now += 100) budget.read(reading(7e6, 5e6), millis(now))
  t.equal(budget.bitsPerSecond, INITIAL_DOWNLINK)
})

t.test('falls to the estimate when that stays below what flows, and not for a moment of it', async t => {
  const budget = new DownlinkBudget()
  budget.read(reading(10e6, 20e6), millis(0))
  budget.read(reading(22e6, 20e6), millis(100))
  budget.read(reading(10e6, 20e6), millis(200))
  t.equal(budget.bitsPerSecond, INITIAL_DOWNLINK)
  budget.read(reading(11e6, 20e6), millis(500))
  t.equal(budget.bitsPerSecond, 15e6, 'in steps')
  budget.read(reading(13e6, 15e6), millis(600))
  t.equal(budget.bitsPerSecond, 15e6)
  budget.read(reading(13e6, 15e6), millis(800))
  t.equal(budget.bitsPerSecond, 13e6)
})

t.test('takes a low estimate for a busy machine where no queue and no loss is seen', async t => {
  const budget = new DownlinkBudget()
  for (let now = 0; now < 5000; now += 100) budget.read(reading(1e6, 20e6, 40 + (now % 300) / 10, 0.01), millis(now))
  t.equal(budget.bitsPerSecond, INITIAL_DOWNLINK)
  for (let now = 5000; now < 5400; now += 100) budget.read(reading(1e6, 20e6, 120, 0), millis(now))
  t.equal(budget.bitsPerSecond, 15e6, 'a queue')
})

t.test('grows slowly again while it is used up, and only then', async t => {
  const budget = new DownlinkBudget()
  for (const now of [0, 300]) budget.read(reading(10e6, 13e6), millis(now))
  t.equal(budget.bitsPerSecond, 10e6)
  for (let now = 400; now < 3200; now += 100) budget.read(reading(10e6, 9e6), millis(now))
  t.equal(budget.bitsPerSecond, 10e6, 'the line drains')
  for (let now = 3300; now <= 4300; now += 100) budget.read(reading(10e6, 3e6), millis(now))
  t.equal(budget.bitsPerSecond, 10e6, 'nothing is learned from little')
  for (let now = 4400; now <= 5400; now += 100) budget.read(reading(10e6, 9e6), millis(now))
  t.ok(budget.bitsPerSecond > 10.4e6 && budget.bitsPerSecond < 11e6)
})

t.test('never exceeds what the viewer says its line carries', async t => {
  const budget = new DownlinkBudget()
  budget.claim(bitsPerSecond(8e6))
  t.equal(budget.bitsPerSecond, 8e6)
  budget.claim(undefined)
  t.equal(budget.bitsPerSecond, INITIAL_DOWNLINK)
})
