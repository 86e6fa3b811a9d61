import t from 'tap'
import { CommandOrder } from './command-order.ts'

t.test('of each axis the highest number counts, however commands overtake each other', async t => {
  const order = new CommandOrder()
  t.same(order.admit(0, { x: 1, y: 1 }), { x: 1, y: 1 })
  t.same(order.admit(2, { x: 3 }), { x: 3 })
  t.same(order.admit(1, { x: 2, y: 2, focus: 5 }), { y: 2, focus: 5 })
  t.equal(order.admit(2, { x: 3 }), undefined, 'twice the same')
  t.same(order.admit(3, { objective: '4x' }), { objective: '4x' })
})

t.test('what was given before a stop and comes after it is void', async t => {
  const order = new CommandOrder()
  order.stop(5)
  order.stop(4)
  t.equal(order.admit(5, { x: 1 }), undefined)
  t.equal(order.admit(3, { focus: 1 }), undefined)
  t.same(order.admit(6, { x: 2 }), { x: 2 })
})
