import t from 'tap'
import { rtpTimestamp } from '../../relay/wire/units.ts'
import { StageReporter } from './stage-reporter.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'

const state = { x: 1, y: 2, focus: 0, objective: '20x', isMoving: false }

t.test('says where the stage is at once, and its image when that has its place', async t => {
  const placed = new Map<number, RtpTimestamp>()
  const reporter = new StageReporter(ticks => placed.get(ticks))
  t.same(reporter.moved({ state, mediaTicks: undefined, obeyed: undefined }), { ...state, rtpTimestamp: null, obeyed: null })
  t.notOk(reporter.isWaiting, 'for nothing: no image was taken')
  t.same(reporter.moved({ state, mediaTicks: 90, obeyed: { command: 7, mediaTicks: 45 } }), { ...state, rtpTimestamp: null, obeyed: { command: 7, rtpTimestamp: null } })
  t.ok(reporter.isWaiting)
  t.equal(reporter.look(), undefined)
  placed.set(45, rtpTimestamp(1045))
  t.same(reporter.look(), { ...state, rtpTimestamp: null, obeyed: { command: 7, rtpTimestamp: 1045 } })
  t.ok(reporter.isWaiting)
  placed.set(90, rtpTimestamp(1090))
  t.same(reporter.look(), { ...state, rtpTimestamp: 1090, obeyed: { command: 7, rtpTimestamp: 1045 } })
  t.notOk(reporter.isWaiting)
})

t.test('does not wait for ever', async t => {
  const reporter = new StageReporter(() => undefined)
  reporter.moved({ state, mediaTicks: 1, obeyed: undefined })
  let looks = 0
  for (; reporter.isWaiting && looks < 1000; looks++) t.equal(reporter.look(), undefined)
  t.equal(looks, 20)
})
