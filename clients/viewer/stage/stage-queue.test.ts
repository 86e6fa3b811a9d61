import t from 'tap'
import { millis } from '../../../relay/wire/units.ts'
import { StageQueue } from './stage-queue.ts'

t.test('sends a command at once, and one that is refused not again', async t => {
  const queue = new StageQueue()
  queue.want({ x: 1 })
  t.same(queue.step(millis(0)), { send: { x: 1 }, wakeAt: undefined })
  queue.answered()
  t.same(queue.step(millis(500)), { send: undefined, wakeAt: undefined })
})

t.test('has one command under way, merges the axes of what is wanted meanwhile, and the latest of each wins', async t => {
  const queue = new StageQueue()
  queue.want({ x: 1 })
  queue.step(millis(0))
  queue.want({ x: 2, y: 2 })
  queue.want({ focus: -1 })
  queue.want({ x: 3 })
  t.same(queue.step(millis(200)).send, undefined)
  queue.answered()
  t.same(queue.step(millis(200)).send, { x: 3, y: 2, focus: -1 })
})

t.test('keeps 100 ms between commands', async t => {
  const queue = new StageQueue()
  queue.want({ x: 1 })
  queue.step(millis(0))
  queue.answered()
  queue.want({ x: 2 })
  t.same(queue.step(millis(20)), { send: undefined, wakeAt: 100 })
  t.same(queue.step(millis(100)).send, { x: 2 })
})
