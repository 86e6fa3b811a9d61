import { t } from 'tap'
import { millis } from '../../wire/units.ts'
import { SquarePlan } from './square-plan.ts'

const ref = (square: number, level = 0) => ({ level, square })
const plan = () => new SquarePlan({ first: millis(100), cap: millis(1000) }, () => 1)
const now = millis(0)

t.test('a few go at once, in the order in which they are wanted', t => {
  const squares = plan()
  squares.want([5, 4, 3, 2, 1, 0].map(square => ref(square)))
  t.same(squares.step(now), { send: [5, 4, 3, 2].map(square => ref(square)), wakeAt: undefined })
  t.same(squares.step(now).send, [])
  squares.held(ref(4))
  t.same(squares.step(now).send, [ref(1)])
  t.end()
})

t.test('only what is wanted at last goes, and nothing that is under way goes twice', t => {
  const squares = plan()
  squares.want([ref(0), ref(1), ref(2), ref(3), ref(4)])
  squares.step(now)
  squares.want([ref(3), ref(9)])
  squares.held(ref(3))
  t.same(squares.step(now).send, [ref(9)])
  squares.held(ref(0))
  t.same(squares.step(now).send, [], 'what nobody looks at any more waits for its level')
  t.end()
})

t.test('one that the node lost goes again when it says so', t => {
  const squares = plan()
  squares.want([ref(0)])
  squares.step(now)
  squares.held(ref(0))
  t.same(squares.step(now).send, [])
  squares.want([ref(0)])
  t.same(squares.step(now).send, [ref(0)])
  t.end()
})

t.test('after a failure all wait, longer each time', t => {
  const squares = plan()
  squares.want([ref(0), ref(1)])
  squares.step(now)
  t.equal(squares.failed(ref(0), now), 1)
  t.same(squares.step(millis(99)), { send: [], wakeAt: 100 })
  t.same(squares.step(millis(100)).send, [ref(0)])
  t.equal(squares.failed(ref(0), millis(100)), 2)
  t.same(squares.step(millis(299)), { send: [], wakeAt: 300 })
  squares.want([])
  t.same(squares.step(millis(299)), { send: [], wakeAt: undefined }, 'nothing is waited for')
  t.end()
})

t.test('a level that is known needs none, and one that cannot go is not asked for again', t => {
  const squares = plan()
  squares.want([ref(0), ref(1, 1), ref(2, 1)])
  squares.levelKnown(0)
  t.same(squares.step(now).send, [ref(1, 1), ref(2, 1)])
  squares.cannotGo(ref(1, 1))
  squares.levelKnown(2)
  squares.failed(ref(2, 1), now)
  squares.want([ref(0), ref(1, 1), ref(3, 2), ref(2, 1)])
  t.same(squares.step(millis(1000)).send, [ref(2, 1)])
  t.end()
})
