import t from 'tap'
import { PacketOrder } from './packet-order.ts'

const packet = (n: number): Buffer => Buffer.from([n & 0xff])
const push = (order: PacketOrder, ...numbers: number[]): number[] => numbers.flatMap(n => order.push(n & 0xffff, packet(n))).map(([n = 0]) => n)

t.test('passes on what is in order at once, over the wrap', async t => {
  t.same(push(new PacketOrder(), 65_534, 65_535, 65_536), [254, 255, 0])
})

t.test('waits for what is missing, and passes no packet on twice', async t => {
  const order = new PacketOrder()
  t.same(push(order, 1, 3, 4), [1])
  t.same(push(order, 2), [2, 3, 4])
  t.same(push(order, 2, 3), [])
})

t.test('gives up what does not come', async t => {
  const order = new PacketOrder()
  const passed = push(order, 0, ...Array.from({ length: 200 }, (_, index) => index + 2))
  t.same(passed.slice(0, 3), [0, 2, 3])
  t.equal(passed.length, 201)
})
