import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { EmulatedNetwork } from '../../bench/lines/emulated-network.ts'
import { symmetricLine } from '../../bench/lines/profiles.ts'
import { LocalNode } from '../../bench/local-node.ts'
import { ReceiverProcess } from '../../bench/receiver/receiver-process.ts'
import { millis } from '../../relay/wire/units.ts'
import { patternRecording } from '../../scripts/demo/record.ts'
import { dashboardQueries, RULES } from '../harness/dashboard.ts'
import { PrometheusUnderTest } from '../harness/prometheus.ts'
import { RawClient } from '../harness/raw-client.ts'

const LEAF = 'microscope'
const RATES = [50e6, 20e6]
const LINES = [
  symmetricLine({ name: 'fibre', roundTripMillis: 20, rateBitsPerSecond: RATES[0], lossRatio: 0.01, jitterMillis: 2 }),
  symmetricLine({ name: 'mobile', roundTripMillis: 40, rateBitsPerSecond: RATES[1], lossRatio: 0.01, jitterMillis: 4 }),
]
const LINK = 'kita-hospital'
const { signal } = new AbortController()

/** Every time that an alert waits, a tenth as long: what is short beside another stays so. */
const hurried = RULES.replaceAll(/for: (\d+)([sm])/g, (_, count: string, unit: string) => `for: ${Math.ceil((Number(count) * (unit === 'm' ? 60 : 1)) / 10)}s`)

/** Why no lines can be had here; false when they can. */
function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'needs root'
  const name = `kenkyo-${process.pid}-000000-probe`
  const probe = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
  spawnSync('ip', ['netns', 'del', name])
  return probe.status === 0 ? false : 'needs network namespaces'
}

t.test('a real Prometheus sees a real link: the dashboard has data, a cut path raises its alert and no other, and mending clears it', { skip: reasonToSkip() }, async t => {
  await using scope = new AsyncDisposableStack()
  const network = scope.use(await EmulatedNetwork.open({ leaves: { [LEAF]: LINES }, signal, isPreferred: true }))
  const linksFile = join(t.testdir(), 'links.json')
  writeFileSync(linksFile, JSON.stringify({
    links: [{ name: LINK, members: ['agent'], paths: LINES.map(({ name }, line) => ({ name, remoteHost: network.nodeAddressOf(line), rateBitsPerSecond: RATES[line] })) }],
  }))
  const node = scope.use(await LocalNode.open({ statsIntervalSeconds: 1, workers: 1, signal, network, settings: ['--link-listen-ip', '0.0.0.0', '--links-file', linksFile] }))
  const recording = await patternRecording({ width: 1920, height: 1080, columns: 3, rows: 3, framesPerSecond: 10 })
  scope.use(await node.startAgent(['--source', 'recording', '--loop', '--input', recording], signal))
  const place = node.place(LEAF)
  const caFile = place.environment['NODE_EXTRA_CA_CERTS'] ?? ''

  const receiver = scope.use(await ReceiverProcess.open({
    name: 'receiver', invitation: await node.invite('viewer', 'viewer'), frameDeadline: millis(1000),
    place: { ...place, enter: network.enter('node') }, signal, onSecond: () => undefined,
  }))
  await receiver.watch(receiver.pyramid.renditions.map(({ id }) => id))
  // Nobody looks at this picture: what a viewer would say of it is said for it.
  const viewer = scope.use(await RawClient.open(await node.invite('viewer', 'onlooker'), readFileSync(caFile, 'utf8')))
  const { publication } = await viewer.ok('join', viewer.joinParameters()) as { publication: { publicationId: string } }
  const report = { publicationId: publication.publicationId, framesPerSecond: 9.9, freezes: 1, longestFreezeMillis: 310, nativePixelRatio: 0.97, captureToGlassMillis: { p50: 80, p95: 120 } }
  const refused: unknown[] = []
  const reporting = setInterval(() => void viewer.ok('reportExperience', report).catch((error: unknown) => refused.push(error)), 1000)
  scope.defer(() => clearInterval(reporting))

  const prometheus = scope.use(await PrometheusUnderTest.open(new URL(node.origin).host, hurried, caFile))
  const firing = async (): Promise<string[]> =>
    (await prometheus.alerts()).filter(({ state }) => state === 'firing').map(({ labels }) => [labels['alertname'], labels['link'], labels['path']].filter(it => it !== undefined).join(' ')).sort()
  const upFor = (seconds: number) => async (): Promise<true | undefined> =>
    (await prometheus.query(`min_over_time(kenkyo_link_path_up{link="${LINK}"}[${seconds}s]) == 1`)).length === 2 || undefined
  await prometheus.until('a few scrapes', 20, async () => Number((await prometheus.query(`count_over_time(kenkyo_link_path_up{link="${LINK}"}[1m])`))[0]?.value[1] ?? 0) >= 8 || undefined)
  await prometheus.until('both paths', 5, upFor(3))
  t.same(await firing(), [], 'nothing is wrong yet')

  await network.cut(LEAF, 1, true)
  const cutAt = performance.now()
  await prometheus.until('the alert of the path', 20, async () => ((await firing()).length > 0 ? true : undefined))
  t.comment(`fired ${Math.round(performance.now() - cutAt)} ms after the cut`)
  t.same(await firing(), [`KenkyoLinkPathDown ${LINK} mobile`])
  for (const { name, query } of dashboardQueries) {
    // A node that only receives does not find out what the line carries the other way.
    if (/_(capacity|headroom)_/.test(query)) continue
    const samples = await prometheus.query(query)
    t.ok(samples.some(({ value }) => Number.isFinite(Number(value[1]))), name)
  }

  t.same(refused, [], 'what the viewer says is taken')

  await network.cut(LEAF, 1, false)
  const mendedAt = performance.now()
  await prometheus.until('quiet', 20, async () => ((await firing()).length === 0 ? true : undefined))
  t.comment(`quiet ${Math.round(performance.now() - mendedAt)} ms after mending`)
  await prometheus.until('both paths for a while', 20, upFor(5))
  t.same(await firing(), [], 'and it stays quiet')
})
