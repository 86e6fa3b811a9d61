import { t } from 'tap'
import { millis } from '../relay/wire/units.ts'
import { captureOnNodeClock } from './capture-clock.ts'

const NOW = 1_800_000_000_000

t.test('takes the difference of the clocks off, either way', async t => {
  t.equal(captureOnNodeClock(NOW + 5000 - 40, millis(5000), NOW), NOW - 40)
  t.equal(captureOnNodeClock(NOW - 5000 - 40, millis(-5000), NOW), NOW - 40)
})

t.test('says nothing where the difference is unknown', async t => {
  t.equal(captureOnNodeClock(NOW, undefined, NOW), undefined)
})

t.test('says nothing of what was captured in the future, or too long ago', async t => {
  t.equal(captureOnNodeClock(NOW + 101, millis(0), NOW), undefined)
  t.equal(captureOnNodeClock(NOW + 100, millis(0), NOW), NOW + 100, 'the offset itself is not that exact')
  t.equal(captureOnNodeClock(NOW - 30_001, millis(0), NOW), undefined)
  t.equal(captureOnNodeClock(0, millis(0), NOW), undefined)
})
