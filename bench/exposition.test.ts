import { t } from 'tap'
import { parseExposition, sumSamples } from './exposition.ts'

const TEXT = `# HELP bytes_total Bytes, "all" of them.
# TYPE bytes_total counter
bytes_total{role="viewer",direction="out",kind="rtp"} 120
bytes_total{role="viewer",direction="out",kind="rtx"} 5 1700000000
bytes_total{role="microscope",direction="in",kind="rtp"} 7
workers 2
odd{text="a \\"b\\", c}"} 1.5e3
broken{
`

t.test('reads samples with and without labels', async t => {
  const samples = parseExposition(TEXT)
  t.equal(samples.length, 5)
  t.same(samples[0], { name: 'bytes_total', labels: { role: 'viewer', direction: 'out', kind: 'rtp' }, value: 120 })
  t.match(samples[4], { name: 'odd', value: 1500 })
})

t.test('adds up what matches', async t => {
  const samples = parseExposition(TEXT)
  t.equal(sumSamples(samples, 'bytes_total', ({ role }) => role === 'viewer'), 125)
  t.equal(sumSamples(samples, 'workers', () => true), 2)
  t.equal(sumSamples(samples, 'absent', () => true), 0)
})
