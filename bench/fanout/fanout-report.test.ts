import t from 'tap'
import { FigureSheet } from '../report.ts'
import { confidenceInterval } from '../statistics.ts'
import { reportFanout } from './fanout-report.ts'
import type { EngineName } from './fanout-engine.ts'
import type { FanoutWindow } from './fanout-run.ts'

const window = (viewers: number, deliveredRatio: number, gigabits: number): FanoutWindow => ({
  viewers, deliveredRatio, deliveredBytes: (gigabits * 1e9) / 8, deliveredPackets: 1000, seconds: 1, engineCpuSeconds: 1, othersCpuRatio: 0,
  delay: { p50: 0.001, p99: 0.002 }, sinkDropped: 0, sinkCpuRatio: 0.2, sourceLatestSeconds: 0, decryptedRatio: 1,
})
const FLOODS = [{ packetsPerSecond: 4000, deliveredRatio: 1, sentPerCpuSecond: 4000 }]
const run = (engine: EngineName, round: number, windows: FanoutWindow[]) => ({ engine, shape: 'whole' as const, round, windows })

t.test('an engine is judged by the most viewers that got 99.9 %, not by what it does beyond', async t => {
  const sheet = new FigureSheet()
  reportFanout([run('kenkyo', 0, [window(1, 1, 1), window(4, 0.9995, 3), window(8, 0.9, 5)])], FLOODS, sheet)
  t.match(sheet.figures.find(({ name }) => name === 'gbits_per_second_per_core'), { value: 3, labels: { engine: 'kenkyo', shape: 'whole' } })
  t.match(sheet.figures.find(({ name }) => name === 'call_limit_share'), { value: 0.25 }, '1,000 packets for each second of CPU where bare calls send 4,000')
  t.match(sheet.figures.find(({ name }) => name === 'viewers_carried'), { value: 4, note: 'the next step got too little' })
})

t.test('a ratio compares what was measured in the same round', async t => {
  const sheet = new FigureSheet()
  reportFanout([1, 2].flatMap((speed, round) => [run('kenkyo', round, [window(4, 1, 3 * speed)]), run('mediasoup', round, [window(4, 1, speed)])]), FLOODS, sheet)
  t.match(sheet.figures.find(({ name }) => name === 'fanout_ratio'), { value: 3, n: 2, labels: { against: 'mediasoup', shape: 'whole' }, goal: { bound: 2, isMet: true } })
})

t.test('an even ratio compares the same number of viewers, where both carried them', async t => {
  const sheet = new FigureSheet()
  reportFanout([run('kenkyo', 0, [window(4, 1, 3), window(8, 1, 8)]), run('mediasoup', 0, [window(4, 1, 2), window(8, 0.5, 1)])], FLOODS, sheet)
  t.match(sheet.figures.filter(({ name }) => name === 'fanout_even_ratio'), [{ value: 1.5, labels: { against: 'mediasoup', shape: 'whole', viewers: '4' } }])
  t.match(sheet.figures.find(({ name }) => name === 'fanout_ratio'), { value: 4 }, 'each at its own end')
})

t.test('receivers that were the bottleneck, and an engine that carried nothing, are said', async t => {
  const sheet = new FigureSheet()
  reportFanout([run('janus', 0, [{ ...window(1, 0.5, 1), sinkDropped: 7, sinkCpuRatio: 0.99, othersCpuRatio: 0.3, decryptedRatio: 0.5 }])], FLOODS, sheet)
  for (const words of [/janus did not deliver/, /7 packets/, /0\.99 of their CPU/, /0\.500/, /0\.30 of the engine/]) t.ok(sheet.warnings.some(warning => words.test(warning)), String(words))
})

t.test('a confidence interval is that of Student', async t => {
  t.equal(confidenceInterval([1]), undefined)
  const { low = 0, high = 0 } = confidenceInterval([1, 2, 3]) ?? {}
  t.ok(Math.abs(low - (2 - 2.484)) < 0.001 && Math.abs(high - (2 + 2.484)) < 0.001, `${low} to ${high}`)
})
