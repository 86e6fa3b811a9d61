import { t } from 'tap'
import { OVERVIEW, tileId } from '../../relay/wire/ids.ts'
import { millis } from '../../relay/wire/units.ts'
import { judgeFrames, parseArrivalLog, parseSentLog, sentBytes } from './frame-outcomes.ts'

const SENT = parseSentLog(['overview 3000 2 2000 1000.5', 'overview 6000 2 2000 1033.5', 'tile-0-0 6000 3 3000 1040', 'overview 9000 2 2000 1066', 'overview 12000 1 900 1100', ''].join('\n'))
const ARRIVED = parseArrivalLog(['overview 3000 2 1060.5', 'overview 6000 1 1050', 'tile-0-0 6000 3 1240', 'overview 12000 1 1130', 'overv'].join('\n'))
const window = { from: millis(1000), to: millis(1100), renditions: new Set([OVERVIEW, tileId(0, 0)]) }

t.test('counts as intact what came whole within the budget', async t => {
  t.same(judgeFrames(SENT, ARRIVED, { ...window, budget: millis(160) }), [
    { departedAt: 1000.5, delay: 60, isIntact: true },
    { departedAt: 1033.5, delay: undefined, isIntact: false },
    { departedAt: 1040, delay: 200, isIntact: false },
    { departedAt: 1066, delay: undefined, isIntact: false },
  ])
})

t.test('counts every whole frame of a carrier that delivers by its own clock', async t => {
  t.same(judgeFrames(SENT, ARRIVED, { ...window, budget: undefined }).map(({ isIntact }) => isIntact), [true, false, true, false])
})

t.test('judges only what was watched, and adds up what was sent', async t => {
  t.equal(judgeFrames(SENT, ARRIVED, { ...window, renditions: new Set([OVERVIEW]), budget: undefined }).length, 3)
  t.equal(sentBytes(SENT, window), 9000)
})

t.test('refuses logs that are not whole, or none', async t => {
  t.throws(() => parseSentLog('overview 3000 2 2000 1000.5\n# 3 omitted\n'), { code: 'overloaded' })
  t.throws(() => parseSentLog('overview 3000 2 x 1000.5\n'), { code: 'internal' })
  t.throws(() => parseArrivalLog('overview 3000\n'), { code: 'internal' })
})
