import { t } from 'tap'
import { DropOldestQueue } from './bounded-queue.ts'

t.test('drops the oldest when full, and counts', async t => {
  const queue = new DropOldestQueue<number>(2)
  t.equal(queue.push(1), undefined)
  t.equal(queue.push(2), undefined)
  t.equal(queue.push(3), 1)
  t.same([queue.length, queue.peek(), queue.shift(), queue.shift(), queue.shift()], [2, 2, 2, 3, undefined])
  t.same([queue.takeDropped(), queue.takeDropped()], [1, 0])
})

t.test('keeps its order over a long life', async t => {
  const queue = new DropOldestQueue<number>(3)
  for (let i = 0; i < 1000; i++) {
    queue.push(i)
    if (i % 2 === 1) queue.shift()
  }
  t.same([queue.shift(), queue.shift()], [998, 999])
})

t.test('needs a capacity', async t => {
  t.throws(() => new DropOldestQueue(0))
})
