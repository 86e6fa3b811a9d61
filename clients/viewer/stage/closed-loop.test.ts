import t from 'tap'
import { rtpTimestamp } from '../../../relay/wire/units.ts'
import { ClosedLoop } from './closed-loop.ts'

const drawn = (...instants: readonly (readonly [timestamp: number, atMs: number])[]) => instants.map(([timestamp, drawnAtMs]) => ({ rtpTimestamp: rtpTimestamp(timestamp), drawnAtMs }))
const obeyed = (command: number, timestamp: number | null) => ({ obeyed: { command, rtpTimestamp: timestamp } })

t.test('measures to the first instant that shows the command, whether it was drawn before or after the stage spoke', async t => {
  const loop = new ClosedLoop()
  loop.sent(1, 1000)
  loop.told(obeyed(1, null), drawn([5000, 1010]))
  loop.told(obeyed(1, 8000), drawn([5000, 1010], [8000, 1090], [11_000, 1120]))
  t.same(loop.latencies, [90])
  loop.sent(2, 2000)
  loop.told(obeyed(2, 98_000), drawn([11_000, 1120]))
  t.same(loop.latencies, [90])
  loop.drawn(drawn([11_000, 1120], [101_000, 2150]))
  t.same(loop.latencies, [90, 150])
  loop.drawn(drawn([104_000, 2180]))
  t.same(loop.latencies, [90, 150], 'once')
})

t.test('a command that was overtaken is not measured', async t => {
  const loop = new ClosedLoop()
  loop.sent(1, 1000)
  loop.sent(2, 1040)
  loop.told(obeyed(2, 3000), drawn([3000, 1100]))
  t.same(loop.latencies, [60])
  loop.told({ obeyed: null }, [])
  loop.told(obeyed(9, 1), drawn([9000, 5000]))
  t.same(loop.latencies, [60], "nor is another member's")
})

t.test('the middle one of the last is shown', async t => {
  const loop = new ClosedLoop()
  t.equal(loop.median, undefined)
  for (const [command, latency] of [30, 10, 20].entries()) {
    loop.sent(command, 1000 * command)
    loop.told(obeyed(command, 100_000 * command), drawn([100_000 * command, 1000 * command + latency]))
  }
  t.equal(loop.median, 20)
  loop.restart()
  t.equal(loop.median, undefined)
})

t.test('works across the wrap of the RTP clock', async t => {
  const loop = new ClosedLoop()
  loop.sent(1, 0)
  loop.told(obeyed(1, 2 ** 32 - 10), drawn([2 ** 32 - 3000, 10], [20, 70]))
  t.same(loop.latencies, [70])
})
