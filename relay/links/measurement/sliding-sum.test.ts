import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { SlidingMinimum } from './sliding-minimum.ts'
import { SlidingSum } from './sliding-sum.ts'

t.test('sums full slots only, and forgets them when the window has passed', async t => {
  const sum = new SlidingSum(millis(100), 10)
  sum.add(5, millis(1050))
  t.equal(sum.sum(millis(1099)), 0)
  t.equal(sum.total(millis(1099)), 5)
  t.equal(sum.sum(millis(1100)), 5)
  sum.add(7, millis(1950))
  t.equal(sum.sum(millis(2000)), 12)
  t.equal(sum.sum(millis(2099)), 12)
  t.equal(sum.sum(millis(2100)), 7)
  t.equal(sum.sum(millis(2999)), 7)
  t.equal(sum.sum(millis(3000)), 0)
})

t.test('a clock that jumps by hours empties a sum, one that goes back a little does not', async t => {
  const sum = new SlidingSum(millis(100), 10)
  sum.add(5, millis(8e6))
  sum.add(2, millis(8e6 - 300))
  t.equal(sum.sum(millis(8e6 + 100)), 7)
  t.equal(sum.sum(millis(1e6)), 0)
  sum.add(3, millis(1e6))
  t.equal(sum.sum(millis(1e6 + 100)), 3)
  t.equal(sum.sum(millis(8e6)), 0)
})

t.test('remembers the least value for the window and no longer', async t => {
  const minimum = new SlidingMinimum(millis(1000), 3)
  t.equal(minimum.minimum(millis(0)), Infinity)
  minimum.add(4, millis(0))
  minimum.add(9, millis(1500))
  t.equal(minimum.minimum(millis(2999)), 4)
  t.equal(minimum.minimum(millis(3000)), 9)
  minimum.add(6, millis(3900))
  t.equal(minimum.minimum(millis(4999)), 6)
  t.equal(minimum.minimum(millis(6000)), Infinity)
  minimum.add(1, millis(7e6))
  t.equal(minimum.minimum(millis(5000)), Infinity, 'an hour back')
})
