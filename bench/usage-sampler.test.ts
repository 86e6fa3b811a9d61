import { t } from 'tap'
import { millis } from '../relay/wire/units.ts'
import { parseStat, readTreeUsage } from './process-usage.ts'
import { UsageSampler } from './usage-sampler.ts'
import type { ProcessUsage } from './process-usage.ts'

const process = (cpuSeconds: number, residentBytes: number): ProcessUsage => ({ pid: 1, command: 'x', cpuSeconds, residentBytes })

t.test('turns CPU totals of a group into shares of a core', async t => {
  const sampler = new UsageSampler()
  sampler.sample(new Map([['workers', [process(10, 100), process(20, 50)]]]), millis(0))
  sampler.sample(new Map([['workers', [process(10.5, 110), process(20.25, 60)]]]), millis(1500))
  t.same(sampler.series('workers'), { cpuRatio: [0.5], residentBytes: [170] })
  t.same(sampler.series('nobody'), { cpuRatio: [], residentBytes: [] })
})

t.test('never reports a negative share when a process of the group ends', async t => {
  const sampler = new UsageSampler()
  sampler.sample(new Map([['workers', [process(10, 1), process(20, 1)]]]), millis(0))
  sampler.sample(new Map([['workers', [process(10.5, 1)]]]), millis(1000))
  t.same(sampler.series('workers').cpuRatio, [0])
})

t.test('reads the fields of a process whose name is meant to confuse', async t => {
  const stat = '42 (a) R 1 (b c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 100 1000 10'
  t.same(parseStat(stat), { command: 'a) R 1 (b c', cpuSeconds: 2 })
})

t.test('sees this very process', async t => {
  const [own] = readTreeUsage(globalThis.process.pid)
  t.ok((own?.cpuSeconds ?? 0) > 0 && (own?.residentBytes ?? 0) > 1e6)
  t.same(readTreeUsage(2 ** 22 + 1), [])
})
