import { Registry } from 'prom-client'
import { t } from 'tap'
import { sumMetric } from '../../test/harness/node-under-test.ts'
import { FakeLinks } from '../../test/fakes/fake-links.ts'
import { LinkMetrics, MAX_LINK_LABELS, MAX_PATH_LABELS } from './link-metrics.ts'
import type { LinkEvent, LinkSnapshot } from '../../relay/links/measurement/link-snapshot.ts'
import type { LinkName, PathName } from '../../relay/wire/link.ts'
import type { LinkDirectory } from './link-metrics.ts'

const CALM = { malformed: 0, unknown_link: 0, forged: 0, replayed: 0, oversize: 0, stale: 0 }
const fixed = (snapshots: readonly LinkSnapshot[], refused = CALM): LinkDirectory => ({ snapshots: () => snapshots, refusedDatagrams: () => refused, takeClosed: () => [] })

/** Metrics over fake links with a clock of their own. */
function watched() {
  let now = 1_700_000_000_000
  const registry = new Registry()
  const metrics = new LinkMetrics(registry)
  const links = new FakeLinks(1, () => now)
  const value = async (name: string, labels: Record<string, string> = {}): Promise<number> => sumMetric(await registry.metrics(), `kenkyo_link_${name}`, labels)
  return { registry, metrics, links, value, pass: (seconds: number) => (now += seconds * 1000) }
}

const kita = { link: 'kita-hospital' }

t.test('a counter has what the link counts, in however many readings', async t => {
  const { metrics, links, value, pass } = watched()
  for (let reading = 0; reading < 5; reading++) {
    pass(3)
    metrics.read(links)
    metrics.read(links)
  }
  const [{ paths, classes }] = links.snapshots() as [LinkSnapshot]
  const [{ totals }] = paths as [LinkSnapshot['paths'][number]]
  const at = { ...kita, path: 'ftth', direction: 'in' }
  t.ok(totals.in.lostPackets > 10)
  t.equal(await value('path_bytes_total', at), totals.in.bytes)
  t.equal(await value('path_lost_packets_total', at), totals.in.lostPackets)
  t.equal(await value('path_loss_burst_packets_count', at), totals.in.lossBursts)
  t.equal(await value('path_loss_burst_packets_sum', at), totals.in.lostPackets)
  t.equal(await value('path_loss_burst_packets_bucket', { ...at, le: '1' }), totals.in.burstsByLength[0])
  t.equal(await value('path_loss_burst_packets_bucket', { ...at, le: '2' }), totals.in.burstsByLength[0]! + totals.in.burstsByLength[1]!)
  t.equal(await value('path_loss_burst_packets_bucket', { ...at, le: '+Inf' }), totals.in.lossBursts)
  t.equal(await value('path_loss_gap_packets_bucket', { ...at, le: '+Inf' }), totals.in.gapsByLength.reduce((sum, count) => sum + count))
  const live = classes.find(it => it.class === 'live')!
  t.equal(await value('class_retransmitted_bytes_total', { ...kita, class: 'live', direction: 'in' }), live.totals.in.retransmittedBytes)
})

t.test('a link that is opened again goes on counting where it was', async t => {
  const { metrics, links, value, pass } = watched()
  const at = { ...kita, path: 'ftth', direction: 'in' }
  pass(10)
  metrics.read(links)
  const before = await value('path_packets_total', at)
  pass(1)
  links.reopen('kita-hospital')
  pass(2)
  metrics.read(links)
  t.equal(await value('path_packets_total', at), before + links.snapshots()[0]!.paths[0]!.totals.in.packets)
})

t.test('a total that falls adds nothing until it is past its highest', async t => {
  const { metrics, links, value, pass } = watched()
  pass(10)
  const [snapshot] = links.snapshots() as [LinkSnapshot]
  const withOutages = (outages: number): LinkDirectory => fixed([{ ...snapshot, paths: [{ ...snapshot.paths[0]!, outages }] }])
  for (const outages of [3, 1, 4]) metrics.read(withOutages(outages))
  t.equal(await value('path_outages_total'), 4)
})

t.test('a gauge is absent while it is unknown, and when its link has gone', async t => {
  const { metrics, registry, links, pass } = watched()
  pass(10)
  const [snapshot] = links.snapshots() as [LinkSnapshot]
  const [path] = snapshot.paths as [LinkSnapshot['paths'][number]]
  const silent = { ...path, state: 'unproven' as const, roundTrip: undefined, clockOffset: undefined, totals: { in: { ...path.totals.in, packets: 0 }, out: path.totals.out } }
  metrics.read(fixed([{ ...snapshot, paths: [silent] }]))
  const text = await registry.metrics()
  const series = (name: string): string[] => text.split('\n').filter(line => line.startsWith(`kenkyo_link_path_${name}{`))
  t.same(series('round_trip_seconds'), [])
  t.same(series('clock_offset_seconds'), [])
  t.match(series('up'), [/ 0$/], 'a path without an answer does not live')
  t.match(series('jitter_seconds'), [/direction="out"/])
  metrics.read(fixed([]))
  t.notMatch(await registry.metrics(), /kenkyo_link_path_up\{|kenkyo_link_path_mtu_bytes\{/)
})

t.test('units are those of the name', async t => {
  const { metrics, links, value, pass } = watched()
  pass(10)
  metrics.read(links)
  const [{ paths: [path], openedAt }] = links.snapshots() as [LinkSnapshot]
  const at = { ...kita, path: 'ftth' }
  t.equal(await value('path_capacity_bytes_per_second', at), 15_000_000)
  t.equal(await value('path_round_trip_seconds', at), path!.roundTrip! / 1000)
  t.equal(await value('path_throughput_bytes_per_second', { ...at, direction: 'in' }), path!.gauges.in.throughput / 8)
  t.equal(await value('opened_timestamp_seconds', kita), openedAt / 1000)
})

t.test('a broken contract stays broken until it is kept, also when its event has been forgotten', async t => {
  const { metrics, links, value, pass } = watched()
  pass(1)
  const [snapshot] = links.snapshots() as [LinkSnapshot]
  const event = (kind: LinkEvent['kind'], term: string): LinkEvent => ({ at: 1, kind, evidence: { term } })
  const read = (...events: LinkEvent[]): void => metrics.read(fixed([{ ...snapshot, events }]))
  read(event('contract_broken', 'lossRatio'), event('contract_broken', 'roundTripMillis'))
  read()
  t.equal(await value('contract_breaches', kita), 2)
  read(event('contract_kept', 'lossRatio'))
  t.equal(await value('contract_breaches', kita), 1)
  read({ at: 2, kind: 'class_degraded', class: 'live', evidence: {} })
  t.equal(await value('class_degraded', { ...kita, class: 'live' }), 1)
  read({ at: 3, kind: 'class_recovered', class: 'live', evidence: {} })
  t.equal(await value('class_degraded', kita), 0)
})

t.test('refusals are counted by cause', async t => {
  const { metrics, value } = watched()
  metrics.read(fixed([], { ...CALM, forged: 3 }))
  metrics.read(fixed([], { ...CALM, forged: 5, malformed: 100_000 }))
  t.equal(await value('refused_datagrams_total', { cause: 'forged' }), 5)
  t.equal(await value('refused_datagrams_total'), 100_005)
})

t.test('links without number make no labels without number: those beyond the bound are counted together', async t => {
  const { metrics, registry, links, value, pass } = watched()
  pass(5)
  const [snapshot] = links.snapshots() as [LinkSnapshot]
  const many = Array.from({ length: MAX_LINK_LABELS + 20 }, (_, index) => ({ ...snapshot, link: `link-${index}` as LinkName }))
  metrics.read(fixed(many))
  metrics.read(fixed(many))
  const labels = new Set([...(await registry.metrics()).matchAll(/link="([^"]+)"/g)].map(match => match[1]))
  t.equal(labels.size, MAX_LINK_LABELS + 1)
  const each = snapshot.paths[0]!.totals.in.bytes + snapshot.paths[1]!.totals.in.bytes
  t.equal(await value('path_bytes_total', { link: 'other', direction: 'in' }), 20 * each)
  t.equal(await value('path_up', { link: 'other' }), 0, 'gauges of several links cannot be summed')
})

t.test('a far end that calls its paths ever anew does not make labels without number', async t => {
  const { metrics, registry, links, value, pass } = watched()
  pass(5)
  const [snapshot] = links.snapshots() as [LinkSnapshot]
  for (let opening = 1; opening <= 50; opening++) metrics.read(fixed([{ ...snapshot, openedAt: opening, paths: [{ ...snapshot.paths[0]!, path: `path-${opening}` as PathName }] }]))
  t.equal(new Set([...(await registry.metrics()).matchAll(/path="([^"]+)"/g)].map(match => match[1])).size, MAX_PATH_LABELS + 1)
  t.equal(await value('path_packets_total', { direction: 'in' }), 50 * snapshot.paths[0]!.totals.in.packets, 'nothing is left out')
})
