import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { t } from 'tap'
import { captureCommand } from '../clients/capture/main.ts'
import { AgentSettings, RecordSettings, SourceSettings } from '../clients/capture/settings.ts'
import { environmentName, flagName } from '../relay/runtime/config.ts'
import { createRegistry } from '../relay/runtime/metrics.ts'
import { FAULT_CODES } from '../relay/wire/fault.ts'
import { ClientRequest, NodeMessage, PROTOCOL_VERSION, REQUESTS, SIGNALING_LIMITS, SIGNALING_PATH } from '../relay/wire/signaling.ts'
import { AuditMetrics } from '../sfu/access/audit-metrics.ts'
import { NodeConfig } from '../sfu/config.ts'
import { LinkMetrics } from '../sfu/links/link-metrics.ts'
import { nodeCommand } from '../sfu/main.ts'
import { createNodeMetrics } from '../sfu/node-metrics.ts'
import { RecordingMetrics } from '../sfu/recording/recording-metrics.ts'
import { StillMetrics } from '../sfu/stills/still-metrics.ts'
import { ForeignMetrics } from '../sfu/whip/foreign-metrics.ts'
import { ServiceMetrics } from '../sfu/services/service-metrics.ts'
import { SlideMetrics } from '../sfu/slides/slide-metrics.ts'
import type { Command } from 'commander'
import type { Test } from 'tap'

const root = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const sorted = (names: Iterable<string>): string[] => [...names].sort()

/** The text under the heading `title`, up to the next heading of its rank or above. */
function section(text: string, title: string): string {
  const lines = text.split('\n')
  const isHeading = (line: string): boolean => line.replace(/^#+ /, '') === title && line.startsWith('#')
  const start = lines.findIndex(isHeading)
  if (start < 0) throw new Error(`there is no heading ${JSON.stringify(title)}`)
  const rank = lines[start]!.indexOf(' ')
  const length = lines.slice(start + 1).findIndex(line => /^#+ /.test(line) && line.indexOf(' ') <= rank)
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join('\n')
}

/** The rows of every table whose first column is headed `head`, as trimmed cells. */
function tableRows(text: string, head: string): string[][] {
  const cells = (line: string): string[] => line.split('|').slice(1, -1).map(cell => cell.trim())
  let isWanted = false
  return text.split('\n').flatMap((line, index, lines) => {
    if (!line.startsWith('|')) {
      isWanted = false
      return []
    }
    if (lines[index - 1]?.startsWith('|') !== true) isWanted = cells(line)[0] === head
    const isBody = isWanted && !/^[|\s-]+$/.test(line) && lines[index - 1]?.startsWith('|') === true
    return isBody ? [cells(line)] : []
  })
}

/** What stands between backticks. */
const quoted = (text: string): string[] => [...text.matchAll(/`([^`\n]+)`/g)].map(match => match[1]!)
/** The first cells of a table, without their backticks. */
const names = (rows: readonly string[][]): string[] => rows.map(([first = '']) => quoted(first)[0] ?? first)

const PROTOCOL = read('docs/PROTOCOL.md')
const CONFIG = read('docs/CONFIG.md')
const METRICS = read('docs/METRICS.md')

const nodeMetrics = () => {
  const registry = createRegistry()
  createNodeMetrics(registry)
  new LinkMetrics(registry)
  new SlideMetrics(registry)
  new ServiceMetrics(registry)
  new RecordingMetrics(registry)
  new StillMetrics(registry)
  new ForeignMetrics(registry)
  new AuditMetrics(registry)
  return registry
}

t.test('the reader of tables finds rows, and only those of the table it is asked for', async t => {
  const text = '## A\n| name | b |\n| --- | --- |\n| `x` | 1 |\n\n| other | b |\n| --- | --- |\n| `y` | 2 |\n## B\n| name |\n| --- |\n| `z` |'
  t.same(tableRows(section(text, 'A'), 'name'), [['`x`', '1']])
  t.same(names(tableRows(text, 'name')), ['x', 'z'])
  t.throws(() => section(text, 'C'))
})

t.test('METRICS.md lists the metrics of the registry, their types and their labels', async t => {
  const registry = nodeMetrics()
  const types = new Map((await registry.getMetricsAsJSON()).map(metric => [metric.name, String(metric.type)]))
  const ours = registry.getMetricsAsArray().filter(metric => metric.name.startsWith('kenkyo_'))
  const actual = ours.map(metric => {
    const { name, labelNames } = metric as unknown as { name: string; labelNames: string[] }
    return `${name} ${types.get(name)} {${sorted(labelNames).join()}}`
  })
  const documented = tableRows(METRICS, 'name').map(([name = '', type = '', , labels = '']) => `${quoted(name)[0]} ${type} {${sorted(quoted(labels)).join()}}`)
  t.ok(actual.length > 15)
  t.same(sorted(documented), sorted(actual))
})

t.test('METRICS.md writes down the set of each label, and asks for nothing that does not exist', async t => {
  const metrics = nodeMetrics().getMetricsAsArray().filter(metric => metric.name.startsWith('kenkyo_')) as unknown as { name: string; labelNames: string[] }[]
  t.same(sorted(names(tableRows(METRICS, 'label'))), sorted(new Set(metrics.flatMap(metric => metric.labelNames))))
  const known = new Set(metrics.map(metric => metric.name))
  const used = [...METRICS.matchAll(/kenkyo_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
  t.same(used.filter(name => !known.has(name)), [])
})

t.test('OPERATIONS.md lists the alerts of the rules, with their severity', async t => {
  const rules = [...read('docs/monitoring/alerts.yml').matchAll(/- alert: (\w+)\n[\s\S]*?severity: (\w+)/g)].map(match => `${match[1]} ${match[2]}`)
  t.ok(rules.length > 12)
  t.same(tableRows(read('docs/OPERATIONS.md'), 'alert').map(([name = '', severity]) => `${quoted(name)[0]} ${severity}`), rules)
})

/** Settings whose default depends on the machine and is said in words. */
const MACHINE_DEFAULTS = new Set(['workers', 'stateDir'])

/** Compares a table of settings with the keys and defaults of a schema. */
function checkSettings(t: Test, title: string, keys: readonly string[], defaults: Readonly<Record<string, unknown>>): void {
  const rows = tableRows(section(CONFIG, title), 'key')
  t.same(sorted(names(rows)), sorted(keys), `${title}: the keys`)
  for (const [key = '', environment = '', flag = '', value = ''] of rows) {
    const name = quoted(key)[0] ?? ''
    t.equal(quoted(environment)[0], environmentName(name), `${title}: environment variable of ${name}`)
    t.equal(quoted(flag)[0], flagName(name), `${title}: flag of ${name}`)
    const isAbsent = defaults[name] === undefined || (Array.isArray(defaults[name]) && defaults[name].length === 0)
    if (MACHINE_DEFAULTS.has(name)) t.not(value, 'none', `${title}: default of ${name}`)
    else t.equal(value, isAbsent ? 'none' : `\`${String(defaults[name])}\``, `${title}: default of ${name}`)
  }
}

t.test("CONFIG.md lists a node's settings with their names and defaults", async t => {
  checkSettings(t, 'Node', Object.keys(NodeConfig.shape), NodeConfig.parse({}))
})

t.test("CONFIG.md lists the capture agent's settings with their names and defaults", async t => {
  const shared = Object.keys(SourceSettings.shape)
  const own = (schema: { readonly shape: object }): string[] => Object.keys(schema.shape).filter(key => !shared.includes(key))
  checkSettings(t, 'Source and encoding', shared, SourceSettings.parse({}))
  checkSettings(t, 'Publishing', own(AgentSettings), AgentSettings.parse({}))
  checkSettings(t, 'Recording', own(RecordSettings), { ...RecordSettings.parse({ output: 'anywhere' }), output: undefined })
})

t.test('every setting is a flag of its command', async t => {
  const flags = (command: Command | undefined): string[] =>
    (command?.options ?? []).map(option => option.long ?? '').filter(flag => flag !== '--config')
  const capture = captureCommand()
  const record = capture.commands.find(command => command.name() === 'record')
  t.same(sorted(flags(nodeCommand())), sorted(Object.keys(NodeConfig.shape).map(flagName)))
  t.same(sorted(flags(capture)), sorted(Object.keys(AgentSettings.shape).map(flagName)))
  t.same(sorted(flags(record)), sorted(Object.keys(RecordSettings.shape).map(flagName)))
})

t.test('CONFIG.md names every environment variable that is read by name', async t => {
  const files = globSync('{relay,sfu,clients,bench,scripts}/**/*.{ts,tsx,mjs}', { cwd: root, exclude: name => /node_modules|dist$/.test(name) })
  const variables = new Set(files.flatMap(file => [...read(file).matchAll(/process\.env(?:\.|\[')([A-Z][A-Z0-9_]+)/g)].map(match => match[1]!)))
  t.ok(variables.has('KENKYO_CHROMIUM') && variables.has('MEDIASOUP_WORKER_BIN'))
  t.same([...variables].filter(name => !quoted(CONFIG).includes(name)), [])
})

const requestTypes = Object.keys(REQUESTS)

t.test('PROTOCOL.md describes every request, with its fields and the data of its reply', async t => {
  const requests = section(PROTOCOL, 'Requests')
  t.same(sorted([...requests.matchAll(/^### `(\w+)`$/gm)].map(match => match[1]!)), sorted(requestTypes))
  for (const request of ClientRequest.options) {
    const type = request.shape.type.value
    const text = section(requests, `\`${type}\``)
    const fields = Object.keys(request.shape).filter(field => field !== 'type' && field !== 'requestId')
    t.same(names(tableRows(text, 'field')), fields, `fields of ${type}`)
    t.same(names(tableRows(text, 'reply')), Object.keys(REQUESTS[type].reply.shape), `reply to ${type}`)
  }
})

t.test('PROTOCOL.md describes every notification with its fields', async t => {
  const [, notifications] = NodeMessage.options
  const actual = notifications.options.map(({ shape }) => [shape.type.value, Object.keys(shape).filter(field => field !== 'type')])
  const documented = tableRows(section(PROTOCOL, 'Notifications'), 'type').map(([type = '', , fields = '']) => [quoted(type)[0], quoted(fields)])
  const byType = (rows: readonly (readonly unknown[])[]): unknown[] => rows.toSorted(([a], [b]) => String(a).localeCompare(String(b)))
  t.same(byType(documented), byType(actual))
})

t.test('PROTOCOL.md explains every fault code, and no other', async t => {
  t.same(sorted(names(tableRows(section(PROTOCOL, 'Fault codes'), 'code'))), sorted(FAULT_CODES))
})

t.test('PROTOCOL.md refuses with codes that exist', async t => {
  const refusals = [...PROTOCOL.matchAll(/^Refused with (.*)$/gm)].flatMap(match => quoted(match[1]!)).filter(word => /^[a-z]+_[a-z_]+$|^[a-z]+$/.test(word))
  t.ok(refusals.length > 15)
  const known = new Set<string>([...FAULT_CODES, ...requestTypes])
  t.same(refusals.filter(code => !known.has(code)), [])
})

t.test('PROTOCOL.md has the numbers of the schemas', async t => {
  const limits = tableRows(section(PROTOCOL, 'Limits'), 'name')
  t.same(Object.fromEntries(limits.map(([name = '', value]) => [quoted(name)[0], Number(value)])), SIGNALING_LIMITS)
  t.match(PROTOCOL, `Version ${PROTOCOL_VERSION}.`)
  t.ok(quoted(section(PROTOCOL, 'Transport')).includes(SIGNALING_PATH))
})

t.test('LIFETIMES.md speaks of classes that exist', async t => {
  const files = globSync('{relay,sfu,clients}/**/*.{ts,tsx}', { cwd: root, exclude: name => /node_modules|dist$/.test(name) })
  const classes = new Set(files.flatMap(file => [...read(file).matchAll(/\bclass (\w+)/g)].map(match => match[1]!)))
  const named = quoted(read('docs/LIFETIMES.md')).filter(word => /^([A-Z][a-z]+){2,}$|^[A-Z][a-z]+$/.test(word) && !(word in globalThis))
  t.ok(named.length > 20)
  t.same(named.filter(name => !classes.has(name)), [])
})

/** The anchor that a heading has on the web. */
const anchor = (heading: string): string => heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-')

t.test('what the documents link to and name exists', async t => {
  const documents = globSync('{README.md,docs/**/*.md,scripts/**/README.md}', { cwd: root })
  t.ok(documents.length >= 4)
  const broken = documents.flatMap(document => {
    const text = read(document)
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(match => match[1]!).filter(link => !/^[a-z]+:/.test(link))
    const brokenLinks = links.filter(link => {
      const [path = '', fragment] = link.split('#')
      const target = path === '' ? join(root, document) : resolve(root, dirname(document), path)
      if (!existsSync(target)) return true
      if (fragment === undefined) return false
      return ![...readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)].some(match => anchor(match[1]!) === fragment)
    })
    const files = quoted(text).filter(word => /^(relay|sfu|clients|bench|scripts|test|docs)\/[\w./-]+\.\w+$/.test(word) && !word.includes('/dist/'))
    const missing = files.filter(file => !existsSync(join(root, file)))
    return [...brokenLinks, ...missing].map(target => `${document}: ${target}`)
  })
  t.same(broken, [])
})
