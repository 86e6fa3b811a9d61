import { t } from 'tap'
import { FigureSheet, formatReport, formatValue, Report } from './report.ts'
import { growth, mean, median, medianInterval, quantile } from './statistics.ts'

const host = { cpu: 'test', cores: 2, memoryBytes: 2e9, kernel: '6', node: 'v24', ffmpeg: null }

t.test('interpolates quantiles and needs a sample', async t => {
  t.equal(quantile([4, 1, 3, 2], 0), 1)
  t.equal(median([4, 1, 3, 2]), 2.5)
  t.equal(quantile([4, 1, 3, 2], 1), 4)
  t.equal(quantile([7], 0.99), 7)
  t.equal(mean([1, 2, 6]), 3)
  for (const empty of [() => median([]), () => mean([])]) t.throws(empty)
})

t.test('measures growth between the ends of a series, outliers aside', async t => {
  t.equal(growth([10, 10, 99, 10, 10, 5, 5, 5, 5, 5, 12, 12, 0, 12, 12]), 2)
  t.equal(growth([3]), 0)
})

t.test('makes figures of samples, with the median unless told otherwise', async t => {
  const sheet = new FigureSheet()
  sheet.add({ name: 'cpu_ratio', unit: 'ratio' }, [0.1, 0.3, 0.2])
  sheet.addMean({ name: 'downlink_share', labels: { view: 'overview' }, unit: 'ratio', note: 'at the node' }, [0.1, 0.4])
  t.match(sheet.figures[0], { value: 0.2, p50: 0.2, n: 3 })
  t.match(sheet.figures[1], { value: 0.25, note: 'mean; at the node', labels: { view: 'overview' } })
  t.same(sheet.samples.map(({ values }) => values), [[0.1, 0.3, 0.2], [0.1, 0.4]])
})

t.test('says whether a goal is met, at the bound too', async t => {
  const sheet = new FigureSheet()
  for (const value of [0.97, 0.9699]) sheet.add({ name: 'ssim', unit: 'ratio', goal: { relation: '>=', bound: 0.97 } }, [value])
  for (const value of [2, 2.01]) sheet.add({ name: 'delta_e', unit: 'ΔE2000', goal: { relation: '<=', bound: 2 } }, [value])
  t.same(sheet.figures.map(({ goal }) => goal?.isMet), [true, false, true, false])
})

t.test('makes no figure of nothing, and says so', async t => {
  const sheet = new FigureSheet()
  sheet.add({ name: 'delta_e', unit: 'ΔE2000' }, [])
  sheet.addMean({ name: 'downlink_share', labels: { view: 'overview' }, unit: 'ratio' }, [])
  t.same(sheet.figures, [])
  t.same(sheet.warnings, ['delta_e was not measured: no samples', 'downlink_share{view="overview"} was not measured: no samples'])
})

t.test('prints numbers with prefixes where their unit takes them', async t => {
  t.equal(formatValue(83_123_456, 'bit/s'), '83.12 Mbit/s')
  t.equal(formatValue(-2048, 'bytes'), '-2.048 kB')
  t.equal(formatValue(0.99912345, 'ratio'), '0.99912')
  t.equal(formatValue(0, 'frames'), '0 frames')
})

t.test('prints a report whose document parses', async t => {
  const sheet = new FigureSheet()
  sheet.add({ name: 'ssim', labels: { rendition: 'overview' }, unit: 'ratio', goal: { relation: '>=', bound: 0.97 } }, [0.9])
  sheet.warnings.push('the machine was busy')
  const { figures, samples, warnings } = sheet
  const report = Report.parse({
    scenario: 'picture', commit: 'abc-dirty', startedAt: '2026-11-22T00:00:00.000Z', host, parameters: { quick: true }, figures, samples, warnings,
  })
  const text = formatReport(report)
  t.match(text, /ssim\{rendition="overview"\} +0\.9 .*NOT MET \(≥ 0\.97\)/)
  t.match(text, /warning: the machine was busy/)
  t.match(text, /commit +abc-dirty/)
})

t.test('tells between which bounds a median lies, as far as its samples do', async t => {
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
  t.equal(medianInterval(upTo(5)), undefined, '2 of 2^5 fall on one side')
  t.same(medianInterval(upTo(6)), { low: 1, high: 6 })
  t.same(medianInterval(upTo(10).toReversed()), { low: 2, high: 9 })
  t.same(medianInterval(upTo(100)), { low: 40, high: 61 })
  t.same(medianInterval(upTo(400)), { low: 180, high: 221 })
  const sheet = new FigureSheet()
  sheet.add({ name: 'largest', unit: 's', value: 6 }, upTo(6))
  sheet.addMean({ name: 'average', unit: 's' }, upTo(6))
  t.same(sheet.figures.map(({ interval }) => interval === undefined), [true, false])
})
