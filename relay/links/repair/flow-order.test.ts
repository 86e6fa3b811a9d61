import { t } from 'tap'
import { PART_FLAG } from '../carrier/frames.ts'
import { FlowOrder } from './flow-order.ts'

const { continues, continuation } = PART_FLAG

function open() {
  const got: string[] = []
  let bytes = 0
  const order = new FlowOrder((flow, payload) => {
    bytes += payload.length
    got.push(`${flow}:${payload.length > 20 ? payload.length : payload.toString()}`)
  })
  const push = (flow: number, place: number, sequence: number, text: string, parts = 0): boolean => order.push(flow, place, sequence, Buffer.from(text), parts)
  return { order, got, push, bytes: () => bytes }
}

t.test('packets in order pass at once', async t => {
  const { got, push } = open()
  push(1, 0, 1, 'a')
  push(1, 1, 2, 'b')
  t.same(got, ['1:a', '1:b'])
})

t.test('a loss holds up its own flow, and no other', async t => {
  const { got, push } = open()
  push(1, 0, 1, 'a')
  push(1, 2, 3, 'c')
  push(2, 0, 4, 'x')
  t.same(got, ['1:a', '2:x'])
  push(1, 1, 2, 'b')
  t.same(got, ['1:a', '2:x', '1:b', '1:c'])
})

t.test('what is given up is waited for no longer, and what follows comes in order', async t => {
  const { order, got, push } = open()
  push(1, 3, 8, 'd')
  push(1, 1, 4, 'b')
  order.release(2)
  t.same(got, [], 'its class still misses one before it')
  order.release(5)
  t.same(got, ['1:b'], 'but for what is still missing behind it')
  order.release(undefined)
  t.same(got, ['1:b', '1:d'])
  t.notOk(push(1, 2, 6, 'c'), 'late')
  t.ok(push(1, 4, 9, 'e'))
  t.same(got, ['1:b', '1:d', '1:e'])
})

t.test('places go round', async t => {
  const { got, push } = open()
  for (let place = 0; place < 0x1_0000; place++) push(1, place, place + 1, '')
  push(1, 1, 0x1_0002, 'second')
  push(1, 0, 0x1_0001, 'first')
  t.same(got.slice(-2), ['1:first', '1:second'])
})

t.test('a flow of which half a round of places was lost goes on at once', async t => {
  const { got, push } = open()
  push(1, 0, 1, 'a')
  // 40,000 packets of this flow, and others, never came.
  t.ok(push(1, 40_001, 90_000, 'b'))
  t.ok(push(1, 40_002, 90_001, 'c'))
  t.same(got, ['1:a', '1:b', '1:c'])
})

t.test('parts become what they were', async t => {
  const { got, push } = open()
  push(1, 0, 1, 'ab', continues)
  push(1, 2, 3, 'ef', continuation)
  push(1, 1, 2, 'cd', continues | continuation)
  push(1, 3, 4, 'whole')
  t.same(got, ['1:abcdef', '1:whole'])
})

t.test('a packet that lacks a part is lost, and never pieced together with another', async t => {
  const { order, got, push } = open()
  // The middle of three is lost.
  push(1, 0, 1, 'a1', continues)
  push(1, 2, 3, 'a3', continuation)
  order.release(undefined)
  // The end of one, and the beginning of the next.
  push(1, 3, 4, 'b1', continues)
  push(1, 6, 7, 'c2', continuation)
  order.release(undefined)
  // The end of one alone.
  push(1, 7, 8, 'd1', continues)
  push(1, 8, 9, 'whole')
  // The beginning alone.
  push(1, 9, 10, 'e2', continuation)
  t.same(got, ['1:whole'])
})

t.test('what never ends, or always lacks something, is not kept for ever', async t => {
  const { got, push, order } = open()
  for (let place = 0; place < 5000; place++) push(1, place, place + 1, 'x'.repeat(100), place === 0 ? continues : continues | continuation)
  push(1, 5000, 5001, 'end', continuation)
  t.ok(got.every(one => one.length < 10), 'no packet of half a megabyte')
  let sequence = 6000
  for (let place = 1; place < 100; place++) for (let flow = 10; flow < 1000; flow++) push(flow, place, sequence++, 'y')
  t.ok(got.length > 990 * 99 - 32_768 - 990, 'of 98,010 that wait 32,768 at most are held')
  order.release(undefined)
  t.equal(got.filter(one => one.endsWith('y')).length, 990 * 99)
})

t.test('memory of parts and of what waits is bounded in bytes', async t => {
  const part = Buffer.alloc(9000)
  for (const [what, first, parts, most] of [['parts that never end', 0, continues, 16], ['what waits', 1, 0, 48]] as const) {
    const { order, got } = open()
    let sequence = 1
    let peak = 0
    for (let place = first; place < 7; place++) {
      for (let flow = 0; flow < 1024; flow++) order.push(flow, place, sequence++, part, place > 0 && parts !== 0 ? parts | continuation : parts)
      peak = Math.max(peak, order.keptBytes)
    }
    t.ok(peak > 0.9 * most * 1024 * 1024 && peak <= most * 1024 * 1024, `${what}: ${peak}`)
    order.release(undefined)
    t.equal(got.length, parts === 0 ? 6 * 1024 : 0, what)
  }
})

t.test('flows beyond the bound are dropped', async t => {
  const { got, push } = open()
  for (let flow = 0; flow < 3000; flow++) push(flow, 0, flow + 1, '')
  t.equal(got.length, 1024)
})
