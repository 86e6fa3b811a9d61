import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Where the project keeps what it ships for Prometheus and Grafana. */
export const MONITORING = resolve(import.meta.dirname, '../../docs/monitoring')

/** The rule file that is shipped. */
export const RULES = readFileSync(join(MONITORING, 'alerts.yml'), 'utf8')

interface Panel {
  readonly type: string
  readonly title: string
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[]
}

/** The dashboard that is shipped. */
export const DASHBOARD = JSON.parse(readFileSync(join(MONITORING, 'grafana-links.json'), 'utf8')) as {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] }
}

/** Puts in what Grafana does with "All" chosen. */
export const substituted = (expression: string): string =>
  expression.replaceAll('$__rate_interval', '10s').replaceAll('$link', '.*').replaceAll('$path', '.*')

/** Every query of the dashboard, as Prometheus is asked it, with what it is called there. */
export const dashboardQueries: readonly { readonly name: string; readonly query: string }[] = [
  ...DASHBOARD.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr, refId }) => ({ name: `${title} ${refId}`, query: substituted(expr) }))),
  ...DASHBOARD.annotations.list.map(({ name, expr }) => ({ name: `annotation ${name}`, query: substituted(expr) })),
  ...DASHBOARD.templating.list.flatMap(({ name, definition }) => {
    const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(substituted(definition ?? '')) ?? []
    return definition === undefined ? [] : [{ name: `variable ${name}`, query: `count by (${label}) (${selector})` }]
  }),
]
