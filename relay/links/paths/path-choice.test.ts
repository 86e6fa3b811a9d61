import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { PathChoice } from './path-choice.ts'
import type { PathPolicy } from '../../wire/link.ts'

/** Says at each time which paths live, and since when. */
function choose(policy: PathPolicy) {
  const choice = new PathChoice(policy)
  const upSince = new Map<number, number>()
  const at = (now: number, living: readonly number[]): readonly number[] => {
    for (const index of upSince.keys()) if (!living.includes(index)) upSince.delete(index)
    for (const index of living) if (!upSince.has(index)) upSince.set(index, now)
    choice.update(living.map(index => ({ index, upSince: millis(upSince.get(index)!) })), millis(now))
    return choice.chosen
  }
  return { choice, at }
}

t.test('without a path that lives nothing is chosen, whatever the policy', async t => {
  for (const policy of ['single', 'failover', 'hitless', 'bond'] as const) {
    const { at } = choose(policy)
    t.same(at(0, []), [])
    at(10, [1])
    t.same(at(20, []), [])
  }
})

t.test('single stays where it is, even when a better one comes back', async t => {
  const { choice, at } = choose('single')
  t.same(at(0, [0, 1]), [0])
  t.same(at(100, [1]), [1])
  t.same(at(10_000, [0, 1]), [1])
  t.equal(choice.switches, 1)
})

t.test('failover leaves at once, and comes back after a second without an outage', async t => {
  const { choice, at } = choose('failover')
  at(0, [0, 1])
  t.same(at(5000, [1]), [1])
  t.same(at(6000, [0, 1]), [1])
  t.same(at(6999, [0, 1]), [1])
  t.same(at(7000, [0, 1]), [0])
  t.equal(choice.switches, 2)
})

t.test('a path that flaps is not preferred', async t => {
  const { choice, at } = choose('failover')
  at(0, [0, 1])
  for (let now = 1000; now < 20_000; now += 500) at(now, now % 1000 === 0 ? [1] : [0, 1])
  t.same(choice.chosen, [1])
  t.equal(choice.switches, 1)
})

t.test('the better one of two spare paths is taken', async t => {
  const { at } = choose('failover')
  at(0, [0, 1, 2])
  t.same(at(5000, [1, 2]), [1])
  t.same(at(6000, [2]), [2])
  t.same(at(6500, [1, 2]), [2])
  t.same(at(7500, [1, 2]), [1])
})

t.test('hitless takes two, and is doubled only while there are two', async t => {
  const { choice, at } = choose('hitless')
  t.same(at(0, [0, 1, 2]), [0, 1])
  t.ok(choice.isDoubled && choice.isSpread)
  t.same(at(10, [1, 2]), [1, 2])
  t.same(at(20, [2]), [2])
  t.notOk(choice.isDoubled || choice.isSpread)
  t.equal(choice.switches, 1, 'from one of two to another is a switch once only one is left')
})

t.test('bond takes all, and doubles nothing', async t => {
  const { choice, at } = choose('bond')
  t.same(at(0, [0, 1, 2, 3]), [0, 1, 2, 3])
  t.ok(choice.isSpread)
  t.notOk(choice.isDoubled)
  t.same(at(10, [1, 3]), [1, 3])
  t.equal(choice.switches, 0)
})
