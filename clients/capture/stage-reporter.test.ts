import t from 'tap'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import { StageReporter } from './stage-reporter.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'

const at = (x: number) => ({ x, y: 2, focus: 0, objective: '20x', isMoving: false })

t.test('says where the stage was, in order, as soon as the image that shows it has its place', async t => {
  const placed = new Map<number, RtpTimestamp>()
  const reporter = new StageReporter(ticks => placed.get(ticks))
  reporter.commanded(7)
  reporter.moved({ state: at(1), mediaTicks: undefined, obeyed: undefined })
  t.same(reporter.take(), [{ ...at(1), rtpTimestamp: null, obeyed: null }], 'no image was taken: there is nothing to wait for')
  reporter.moved({ state: at(2), mediaTicks: 45, obeyed: { command: 7, mediaTicks: 45 } })
  reporter.moved({ state: at(3), mediaTicks: undefined, obeyed: { command: 7, mediaTicks: 45 } })
  reporter.moved({ state: at(3), mediaTicks: 90, obeyed: { command: 7, mediaTicks: 45 } })
  t.same(reporter.take(), [])
  t.ok(reporter.isWaiting)
  placed.set(45, rtpTimestamp(1045))
  const obeyed = { command: 7, rtpTimestamp: 1045 }
  t.same(reporter.take(), [{ ...at(2), rtpTimestamp: 1045, obeyed }, { ...at(3), rtpTimestamp: null, obeyed }])
  placed.set(90, rtpTimestamp(1090))
  t.same(reporter.take(), [{ ...at(3), rtpTimestamp: 1090, obeyed }])
  t.notOk(reporter.isWaiting)
})

t.test('says nothing to a node of a command that an earlier one gave', async t => {
  const reporter = new StageReporter(() => rtpTimestamp(9))
  const position = { state: at(1), mediaTicks: 1, obeyed: { command: 17, mediaTicks: 1 } }
  reporter.moved(position)
  t.same(reporter.take(), [{ ...at(1), rtpTimestamp: 9, obeyed: null }])
  reporter.commanded(1)
  reporter.moved({ ...position, obeyed: { command: 1, mediaTicks: 1 } })
  t.same(reporter.take(), [{ ...at(1), rtpTimestamp: 9, obeyed: { command: 1, rtpTimestamp: 9 } }])
})

t.test('does not wait for ever, nor keep more than it may', async t => {
  const reporter = new StageReporter(() => undefined)
  for (let x = 0; x < 300; x++) reporter.moved({ state: at(x), mediaTicks: x, obeyed: undefined })
  let looks = 1
  let [first] = reporter.take()
  for (; first === undefined && looks < 1000; looks++) [first] = reporter.take()
  t.equal(looks, 41)
  t.match(first, { x: 44, rtpTimestamp: null })
})
