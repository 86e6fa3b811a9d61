import { setImmediate } from 'node:timers/promises'
import { t } from 'tap'
import { Turns } from './turns.ts'

const never = new AbortController().signal

function takers(turns: Turns) {
  const entered: string[] = []
  return { entered, take: (name: string, signal = never) => turns.take(signal).then(() => void entered.push(name)) }
}

t.test('lets in as many as may, and the next when one is done', async t => {
  const turns = new Turns(() => 2)
  const { entered, take } = takers(turns)
  for (const name of ['a', 'b', 'c', 'd']) void take(name)
  await setImmediate()
  t.same(entered, ['a', 'b'])
  turns.give()
  await setImmediate()
  t.same(entered, ['a', 'b', 'c'])
})

t.test('follows what may be at once', async t => {
  let most = 1
  const turns = new Turns(() => most)
  const { entered, take } = takers(turns)
  for (const name of ['a', 'b', 'c', 'd']) void take(name)
  most = 3
  turns.admit()
  await setImmediate()
  t.same(entered, ['a', 'b', 'c'])
  most = 2
  turns.give()
  await setImmediate()
  t.same(entered, ['a', 'b', 'c'])
  turns.give()
  await setImmediate()
  t.same(entered, ['a', 'b', 'c', 'd'])
})

t.test('who stops waiting takes no turn', async t => {
  const turns = new Turns(() => 1)
  const { entered, take } = takers(turns)
  const stop = new AbortController()
  void take('a')
  const stopped = take('b', stop.signal)
  void take('c')
  stop.abort(new Error('enough'))
  await t.rejects(stopped, { message: 'enough' })
  await t.rejects(take('d', stop.signal), { message: 'enough' })
  turns.give()
  await setImmediate()
  t.same(entered, ['a', 'c'])
})
