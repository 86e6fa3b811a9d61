import { t } from 'tap'
import { SlideId } from '../../relay/wire/ids.ts'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { inTime, ScanReport } from './scan-report.ts'
import { scanSpeaker } from './scan-words.ts'
import type { SlideProgress } from './scan-job.ts'

const slideId = SlideId.parse('5f0f1bc8-3cb7-4a38-9d6b-0bb1a2c5ad11')
const progress: SlideProgress = { stage: 'sending', tiles: 100, tilesDone: 100, sent: { chunks: 8, chunksDone: 2, bytes: 8e6, bytesDone: 2e6 }, rate: bitsPerSecond(93.4e6), remaining: millis(83_000) }

function reportUnderTest(isJson: boolean, isTTY: boolean, language: 'en' | 'ja' = 'en') {
  let [written, now] = ['', 0]
  const report = new ScanReport({ write: text => (written += text), isTTY }, isJson, scanSpeaker(language), { now: () => millis(now), sleep: () => Promise.resolve() })
  return { report, pass: (time: number) => (now += time), take: () => [written, (written = '')][0] }
}

t.test('a terminal shows one line that is written over, in the language of the place', async t => {
  const { report, pass, take } = reportUnderTest(false, true, 'ja')
  report.take({ event: 'started', slideId })
  t.equal(take(), 'スライド 5f0f1bc8: 開始しました\n')
  report.take({ event: 'progress', slideId, progress })
  t.equal(take(), '\r\u001b[Kスライド 5f0f1bc8: 送信中 25.0 %、93.4 Mbit/s、残り 1 min 23 s')
  report.take({ event: 'progress', slideId, progress })
  t.equal(take(), '', 'not more often than it can be read')
  pass(250)
  report.take({ event: 'progress', slideId, progress: { ...progress, tilesDone: 50, rate: undefined, remaining: undefined } })
  t.match(take(), '送信中 12.5 %、–、残り時間は未定', 'no more is claimed than is known of the slide')
  report.take({ event: 'done', slideId })
  t.equal(take(), '\r\u001b[Kスライド 5f0f1bc8: すべて届きました\n')
})

t.test('a program hears JSON lines with units, and progress every five seconds', async t => {
  const { report, pass, take } = reportUnderTest(true, false)
  report.take({ event: 'progress', slideId, progress })
  t.same(JSON.parse(take()!), { event: 'progress', slideId, stage: 'sending', tiles: 100, tilesDone: 100, chunks: 8, chunksDone: 2, bytes: 8e6, bytesDone: 2e6, bitsPerSecond: 93.4e6, remainingSeconds: 83 })
  pass(4999)
  report.take({ event: 'progress', slideId, progress })
  t.equal(take(), '')
  report.take({ event: 'failed', slideId, code: 'quota_exceeded' })
  report.take({ event: 'held', reason: 'paused' })
  t.same(take()!.trim().split('\n').map(line => JSON.parse(line) as object), [{ event: 'failed', slideId, code: 'quota_exceeded' }, { event: 'held', reason: 'paused' }])
})

t.test('a fault that passes is said once until something else happens', async t => {
  const { report, take } = reportUnderTest(false, false)
  for (let time = 0; time < 3; time++) report.take({ event: 'retrying', slideId, code: 'unavailable' })
  t.equal(take(), 'Slide 5f0f1bc8: unavailable, trying again …\n')
})

t.test('times are said by their two largest parts', async t => {
  t.same([0, 999, 61_000, 3_600_000, 86_400_000].map(time => inTime(millis(time))), ['0 s', '1 s', '1 min 1 s', '1 h 0 min', '24 h 0 min'])
})
