import t from 'tap'
import { rtpTimestamp } from '../../../relay/wire/units.ts'
import { DrawLog } from './draw-log.ts'

const report = (frame: number, instantDrawnAtMs: number) => ({
  shown: { rtpTimestamp: rtpTimestamp(frame * 3000), overviewRtpTimestamp: null, tiles: [] },
  instantDrawnAtMs,
})

t.test('has one entry for every instant, however often it is reported', async t => {
  const log = new DrawLog()
  log.take({ shown: null, instantDrawnAtMs: null })
  log.take(report(1, 100))
  log.take(report(1, 100))
  log.take(report(2, 133))
  t.same(log.entries, [{ rtpTimestamp: 3000, drawnAtMs: 100 }, { rtpTimestamp: 6000, drawnAtMs: 133 }])
})

t.test('keeps the last 512', async t => {
  const log = new DrawLog()
  for (let frame = 0; frame < 600; frame++) log.take(report(frame, frame))
  t.same([log.entries.length, log.entries[0]?.drawnAtMs, log.entries.at(-1)?.drawnAtMs], [512, 88, 599])
})
