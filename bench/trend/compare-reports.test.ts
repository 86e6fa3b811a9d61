import { t } from 'tap'
import { FigureSheet, Report } from '../report.ts'
import { compareReports } from './compare-reports.ts'
import { decodeReports } from './compared-documents.ts'
import { formatComparison } from './comparison-table.ts'
import type { FigureOptions } from '../report.ts'

const host = { cpu: 'test', cores: 2, memoryBytes: 2e9, kernel: '6', node: 'v24', ffmpeg: null }
const around = (centre: number): number[] => [-0.02, -0.01, 0, 0.01, 0.02, 0.015, -0.015].map(offset => centre * (1 + offset))

function report(figures: readonly (FigureOptions & { readonly sample: readonly number[] })[], more: Partial<Report> = {}): Report {
  const sheet = new FigureSheet()
  for (const { sample, ...options } of figures) sheet.add(options, sample)
  return Report.parse({
    scenario: 'live', commit: 'a'.repeat(40), startedAt: '2026-11-24T00:00:00.000Z', host, parameters: { seconds: 8 },
    figures: sheet.figures, samples: sheet.samples, warnings: [], ...more,
  })
}

const compare = (a: Report, b: Report) => compareReports(new Map([[a.scenario, a]]), new Map([[b.scenario, b]]))
const verdicts = (a: Report, b: Report): string[] => compare(a, b).changes.map(({ verdict }) => verdict)
const cpu = { name: 'cpu_ratio', labels: { end: 'node' }, unit: 'ratio' }

t.test('tells a difference beyond the noise of both runs from one within it', async t => {
  t.same(verdicts(report([{ ...cpu, sample: around(1) }]), report([{ ...cpu, sample: around(1.1) }])), ['beyond noise'])
  t.same(verdicts(report([{ ...cpu, sample: around(1) }]), report([{ ...cpu, sample: around(1.01) }])), ['within noise'])
  t.same(verdicts(report([{ ...cpu, sample: around(1) }]), report([{ ...cpu, sample: around(1) }])), ['equal'])
})

t.test('knows no noise of single samples, and of values that are neither median nor mean', async t => {
  t.same(verdicts(report([{ ...cpu, sample: [1] }]), report([{ ...cpu, sample: [9] }])), ['noise unknown'])
  t.same(verdicts(report([{ ...cpu, value: 1.02, sample: around(1) }]), report([{ ...cpu, value: 9, sample: around(9) }])), ['noise unknown'])
})

t.test('takes labels in any order, and names what only one run has', async t => {
  const a = report([{ ...cpu, labels: { end: 'node', line: 'x' }, sample: [1] }, { name: 'gone', unit: 's', sample: [1] }])
  const b = report([{ ...cpu, labels: { line: 'x', end: 'node' }, sample: [1] }, { name: 'new', unit: 's', sample: [1] }])
  t.same(compare(a, b).changes.map(({ figure, verdict }) => [figure, verdict]), [
    ['cpu_ratio{end="node",line="x"}', 'equal'], ['gone', 'only in A'], ['new', 'only in B'],
  ])
})

t.test('does not subtract figures of different units', async t => {
  const [a, b] = [report([{ name: 'delay', unit: 's', sample: [1] }]), report([{ name: 'delay', unit: 'ms', sample: [1000] }])]
  t.same(verdicts(a, b), ['units differ'])
  t.match(formatComparison(compare(a, b), false), /delay +1 s \(n 1\) +1000 ms \(n 1\) +- +units differ/)
})

t.test('says when a goal is met in one run only', async t => {
  const goal = { relation: '<=', bound: 2 } as const
  const [low, high] = [report([{ ...cpu, goal, sample: [1] }]), report([{ ...cpu, goal, sample: [3] }])]
  t.equal(compare(low, high).changes[0]?.goal, 'missed in B')
  t.equal(compare(high, low).changes[0]?.goal, 'met in B')
  t.equal(compare(low, low).changes[0]?.goal, undefined)
})

t.test('cautions when hosts, parameters, scenarios or commits make figures incomparable', async t => {
  const a = report([{ ...cpu, sample: [1] }])
  const b = report([{ ...cpu, sample: [1] }], { host: { ...host, cores: 64 }, parameters: { seconds: 30 }, commit: 'b-dirty' })
  t.same(compare(a, b).cautions, [
    'hosts differ in cores: 2 and 64',
    'live was run with another seconds: 8 and 30',
    'B was measured with changes that are in no commit',
  ])
  t.same(compare(a, report([], { scenario: 'glass' })).cautions, ['live is only in A', 'glass is only in B'])
  t.same(compare(a, a).cautions, [])
})

t.test('prints every figure with both noises, or only what changed', async t => {
  const a = report([{ ...cpu, sample: around(1) }, { name: 'same', unit: 's', sample: [2] }])
  const b = report([{ ...cpu, sample: around(2) }, { name: 'same', unit: 's', sample: [2] }])
  const text = formatComparison(compare(a, b), false)
  t.match(text, /live +cpu_ratio\{end="node"\} +1 \(n 7, 0\.98 to 1\.02\) +2 \(n 7, 1\.96 to 2\.04\) +\+1 \(\+100\.0 %\) +beyond noise/)
  t.match(text, /same +2 s/)
  t.match(text, '2 figures: 1 beyond noise, 1 equal')
  t.notMatch(formatComparison(compare(a, b), true), /same +2 s/)
})

t.test('reads the document of one scenario and that of all, and nothing else', async t => {
  const one = report([{ ...cpu, sample: [1] }])
  t.same([...decodeReports(JSON.stringify(one)).keys()], ['live'])
  const all = {
    kind: 'kenkyo-bench-all', commit: one.commit, startedAt: one.startedAt, host, quick: true, seconds: 9, leftovers: [],
    runs: [{ scenario: 'live', outcome: 'measured', seconds: 9, report: one }, { scenario: 'line', outcome: 'skipped', seconds: 0, reason: 'needs root' }],
  }
  t.same([...decodeReports(JSON.stringify(all)).keys()], ['live'])
  for (const text of ['', '{', '[]', '{"figures":[]}', JSON.stringify({ ...one, more: 1 })]) t.throws(() => decodeReports(text), { code: 'bad_config' }, text)
})
