import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { t } from 'tap'
import { LinkMetrics } from '../sfu/links/link-metrics.ts'
import { createNodeMetrics } from '../sfu/node-metrics.ts'
import { FakeLinks } from './fakes/fake-links.ts'
import { DASHBOARD, dashboardQueries, MONITORING, RULES } from './harness/dashboard.ts'
import { PrometheusUnderTest } from './harness/prometheus.ts'
import type { AddressInfo } from 'node:net'

const UNIT_TESTS = readFileSync(join(MONITORING, 'alerts.test.yml'), 'utf8')
const ALERTS = [...RULES.matchAll(/- alert: (\w+)/g)].map(match => match[1]!)

const promtool = (args: readonly string[], input = '') => spawnSync('promtool', args, { input, encoding: 'utf8', cwd: MONITORING })

/** A node whose links are fake and whose exposition is real. */
class FakeNode implements AsyncDisposable {
  readonly links = new FakeLinks(7, () => Date.now())
  readonly registry = new Registry()
  readonly #server = createServer((_request, response) => void this.exposition().then(text => response.setHeader('content-type', this.registry.contentType).end(text)))
  readonly #metrics = new LinkMetrics(this.registry)
  readonly #node = createNodeMetrics(this.registry)

  async listen(): Promise<string> {
    await new Promise<void>(ready => this.#server.listen(0, '127.0.0.1', ready))
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  exposition(): Promise<string> {
    this.#metrics.read(this.links)
    // What viewers say of a consultation over the link.
    const link = 'kita-hospital'
    this.#node.viewerFrameRate.set({ link }, 29.8)
    this.#node.viewerNativePixels.set({ link }, 0.97)
    this.#node.viewerLongestFreeze.set({ link }, 0.3)
    this.#node.viewerFreezes.inc({ link }, 0)
    this.#node.viewerCaptureToGlass.observe({ link }, 0.18)
    return this.registry.metrics()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(closed => this.#server.close(closed))
  }
}

t.test('every rule of alerts.yml is valid, says what to do, and has a unit test in which it fires', async t => {
  const checked = promtool(['check', 'rules', 'alerts.yml'])
  t.equal(checked.status, 0, checked.stdout + checked.stderr)
  t.ok(ALERTS.length > 12)
  t.equal(RULES.match(/^ {10}summary: /gm)?.length, ALERTS.length)
  t.equal(RULES.match(/^ {10}action: /gm)?.length, ALERTS.length)
  t.equal(RULES.match(/^ {8}for: /gm)?.length, ALERTS.length)
  t.same(ALERTS.filter(name => !UNIT_TESTS.includes(`labels: 'ALERTS{alertname="${name}", alertstate="firing"`)), [], 'fires')
  t.same(ALERTS.filter(name => !UNIT_TESTS.includes(`expr: 'ALERTS{alertname="${name}", alertstate="firing"}' }`)), [], 'stays quiet')
  const tested = promtool(['test', 'rules', 'alerts.test.yml'])
  t.equal(tested.status, 0, tested.stdout + tested.stderr)
})

t.test('promtool finds nothing to say against the exposition', async t => {
  await using node = new FakeNode()
  await node.listen()
  const text = await node.exposition()
  t.match(text, /kenkyo_link_path_up\{/)
  const checked = promtool(['check', 'metrics'], `${text}\n`)
  t.equal(checked.status, 0, checked.stdout + checked.stderr)
})

t.test('what rules and dashboard ask for exists', async t => {
  const node = new FakeNode()
  await node.exposition()
  const known = new Set(node.registry.getMetricsAsArray().map(metric => metric.name))
  const text = RULES + JSON.stringify(DASHBOARD)
  const used = [...text.matchAll(/kenkyo_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
  t.ok(used.length > 60)
  t.same([...new Set(used.filter(name => !known.has(name)))], [])
  const shown = new Set(used)
  const links = [...known].filter(name => name.startsWith('kenkyo_link_'))
  t.same(links.filter(name => !shown.has(name)), [], 'and every metric of links is shown')
})

t.test('a real Prometheus answers every query of the dashboard, and raises the alert for what is wrong and no other', async t => {
  await using node = new FakeNode()
  // Long times are cut short; what they are good for is tested with a clock that runs free.
  await using prometheus = await PrometheusUnderTest.open(await node.listen(), RULES.replaceAll(/for: \S+/g, 'for: 1s'))
  const firing = async (): Promise<string[]> =>
    (await prometheus.alerts()).filter(({ state }) => state === 'firing').map(({ labels }) => [labels['alertname'], labels['link'], labels['path']].filter(it => it !== undefined).join(' ')).sort()
  const isFiring = (alert: string) => async (): Promise<true | undefined> => ((await firing()).includes(alert) ? true : undefined)

  await prometheus.until('a few scrapes', 15, async () => Number((await prometheus.query('count_over_time(kenkyo_link_path_up{path="ftth"}[1m])'))[0]?.value[1] ?? 0) >= 5 || undefined)
  const rules = await prometheus.rules()
  t.same(rules.map(({ name }) => name).sort(), [...ALERTS].sort())
  t.same(rules.filter(({ health }) => health !== 'ok'), [], 'every rule is evaluated')
  t.same(await firing(), [], 'nothing is wrong yet')

  node.links.plant({ kind: 'path_down', link: 'kita-hospital', path: 'mobile' })
  await prometheus.until('the alert of the path', 10, isFiring('KenkyoLinkPathDown kita-hospital mobile'))
  t.same(await firing(), ['KenkyoLinkPathDown kita-hospital mobile'])

  for (const { name, query } of dashboardQueries) {
    const samples = await prometheus.query(query)
    t.ok(samples.some(({ value }) => Number.isFinite(Number(value[1]))), name)
    if (name.startsWith('variable')) t.ok(samples.length > 1, `${name} has a choice`)
  }

  node.links.mend()
  node.links.plant({ kind: 'loss_after_repair', link: 'kita-hospital', ratio: 0.02 })
  await prometheus.until('the path to be well', 10, async () => ((await firing()).includes('KenkyoLinkPathDown kita-hospital mobile') ? undefined : true))
  await prometheus.until('the alert of the loss', 10, isFiring('KenkyoLinkLossAfterRepair kita-hospital'))
  t.same(await firing(), ['KenkyoLinkLossAfterRepair kita-hospital'])
})
