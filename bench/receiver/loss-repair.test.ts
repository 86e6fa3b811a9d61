import { t } from 'tap'
import { millis } from '../../relay/wire/units.ts'
import { LossRepair } from './loss-repair.ts'

const options = { reorderingTolerance: millis(10), retryAfter: millis(50), giveUpAfter: millis(400) }

t.test('asks for nothing while nothing is missing', async t => {
  const repair = new LossRepair(options)
  for (let index = 0; index < 100; index++) repair.received((65_500 + index) & 0xffff, millis(index))
  t.same(repair.due(millis(1000)), [])
  t.same(repair.takeCounts(), { asked: 0, recovered: 0, lost: 0 })
})

t.test('gives an overtaken packet time, then asks, then asks again, then gives up', async t => {
  const repair = new LossRepair(options)
  repair.received(65_534, millis(0))
  repair.received(1, millis(0))
  t.same(repair.due(millis(9)), [])
  t.same(repair.due(millis(10)), [65_535, 0])
  repair.received(0, millis(30))
  t.same(repair.due(millis(59)), [])
  t.same(repair.due(millis(60)), [65_535])
  t.same(repair.due(millis(401)), [])
  t.same(repair.takeCounts(), { asked: 3, recovered: 1, lost: 1 })
})

t.test('does not call an overtaken packet recovered', async t => {
  const repair = new LossRepair(options)
  for (const sequenceNumber of [1, 3, 2]) repair.received(sequenceNumber, millis(0))
  t.same(repair.due(millis(100)), [])
  t.same(repair.takeCounts(), { asked: 0, recovered: 0, lost: 0 })
})

t.test('keeps its list short however large a gap is', async t => {
  const repair = new LossRepair(options)
  repair.received(0, millis(0))
  repair.received(20_000, millis(0))
  repair.received(20_500, millis(1))
  t.equal(repair.due(millis(20)).length, 1000)
  t.equal(repair.takeCounts().lost, 20_498 - 1000)
})
