import { z } from 'zod'
import { confidenceInterval, mean, medianInterval, quantile } from './statistics.ts'
import { formatTable } from './table.ts'

const Labels = z.record(z.string(), z.string())

/** What a figure is wanted to be. */
const Goal = z.strictObject({ relation: z.enum(['>=', '<=']), bound: z.number(), isMet: z.boolean() })
type Goal = z.infer<typeof Goal>

/** Bounds between which a figure lies with a confidence of 95 %, as far as the samples of one run can tell. */
const Interval = z.strictObject({ low: z.number(), high: z.number() })

/** One measured figure. */
export const Figure = z.strictObject({
  /** Snake case, like a metric; names are a contract. */
  name: z.string().regex(/^[a-z][a-z0-9_]*$/),
  labels: Labels,
  /** The median of the samples, unless the name or `note` says otherwise. */
  value: z.number(),
  /** `ratio`, `bytes`, `bit/s`, `s`, or what else it counts. */
  unit: z.string(),
  /** How many samples stand behind it. */
  n: z.int().min(1),
  p50: z.number(),
  p95: z.number(),
  p99: z.number(),
  /** Of the median, or of the mean where the value is one; absent where the samples do not tell. */
  interval: Interval.optional(),
  note: z.string().optional(),
  goal: Goal.optional(),
})
export type Figure = z.infer<typeof Figure>

/** The raw samples of one figure, in the order in which they were taken. */
export const SampleSeries = z.strictObject({ name: z.string(), labels: Labels, values: z.array(z.number()).min(1) })
export type SampleSeries = z.infer<typeof SampleSeries>

/** The machine that a report comes from. */
export const Host = z.strictObject({
  cpu: z.string(),
  cores: z.int(),
  memoryBytes: z.number(),
  kernel: z.string(),
  node: z.string(),
  ffmpeg: z.string().nullable(),
})
export type Host = z.infer<typeof Host>

/** One run of one scenario: the document that `--json` writes. */
export const Report = z.strictObject({
  scenario: z.string(),
  /** Of the working tree; ends in `-dirty` when something in it is not committed. */
  commit: z.string(),
  startedAt: z.iso.datetime(),
  host: Host,
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  figures: z.array(Figure),
  samples: z.array(SampleSeries),
  /** Whatever a reader of the figures has to know: disagreements, disturbances, parts left out. */
  warnings: z.array(z.string()),
  /** What a scenario has to tell machines beyond figures. */
  details: z.unknown().optional(),
})
export type Report = z.infer<typeof Report>

/** What a scenario measured. */
export type Measurement = Pick<Report, 'parameters' | 'figures' | 'samples' | 'warnings'>

/** A measurement, and what comes of it. */
export interface Outcome extends Measurement {
  /** What people read before the table. */
  readonly lines?: readonly string[]
  readonly details?: unknown
  /** 0 without it. */
  readonly exitCode?: number
}

/** How a figure is made from its samples. */
export interface FigureOptions {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly unit: string
  /** Instead of the median; then `note` should say what it is. */
  readonly value?: number
  /** Of `value`, where the samples tell it. */
  readonly interval?: z.infer<typeof Interval> | undefined
  readonly note?: string
  readonly goal?: Pick<Goal, 'relation' | 'bound'>
}

/** Gathers figures together with the samples they were made from. */
export class FigureSheet {
  readonly figures: Figure[] = []
  readonly samples: SampleSeries[] = []
  readonly warnings: string[] = []

  /** Adds one figure. Without a single sample there is none, and a warning says so. */
  add(options: FigureOptions, sample: readonly number[]): void {
    const { name, labels = {}, unit, note, goal } = options
    if (sample.length === 0) {
      this.warnings.push(`${name}${labelText(labels)} was not measured: no samples`)
      return
    }
    const [p50, p95, p99] = [quantile(sample, 0.5), quantile(sample, 0.95), quantile(sample, 0.99)]
    const value = options.value ?? p50
    const interval = options.value === undefined ? medianInterval(sample) : options.interval
    this.figures.push({
      name, labels: { ...labels }, value, unit, n: sample.length, p50, p95, p99,
      ...(interval === undefined ? {} : { interval }),
      ...(note === undefined ? {} : { note }),
      ...(goal === undefined ? {} : { goal: { ...goal, isMet: goal.relation === '>=' ? value >= goal.bound : value <= goal.bound } }),
    })
    this.samples.push({ name, labels: { ...labels }, values: [...sample] })
  }

  /** Adds one figure whose value is the mean of its samples. */
  addMean(options: Omit<FigureOptions, 'value'>, sample: readonly number[]): void {
    this.add(sample.length === 0 ? options : { ...options, value: mean(sample), interval: confidenceInterval(sample), note: ['mean', options.note].filter(Boolean).join('; ') }, sample)
  }
}

/** `{tile="tile-3-2"}`; empty without labels. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const PREFIXES = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const

/** A number for a person: four digits that count, and a prefix where the unit takes one. */
export function formatValue(value: number, unit: string): string {
  if (unit === 'bytes' || unit === 'bit/s') {
    const [factor, prefix] = PREFIXES.find(([limit]) => Math.abs(value) >= limit) ?? [1, '']
    return `${trimNumber(value / factor)} ${prefix}${unit === 'bytes' ? 'B' : unit}`
  }
  return unit === 'ratio' ? trimNumber(value, 5) : `${trimNumber(value)} ${unit}`
}

const trimNumber = (value: number, digits = 4): string => String(Number(value.toPrecision(digits)))

function goalText({ goal, unit }: Figure): string {
  return goal === undefined ? '' : `${goal.isMet ? 'met' : 'NOT MET'} (${goal.relation === '>=' ? '≥' : '≤'} ${formatValue(goal.bound, unit)})`
}

/** The report as a table for people. */
export function formatReport(report: Report): string {
  const { host } = report
  const rows = report.figures.map(figure => [
    `${figure.name}${labelText(figure.labels)}`,
    ...[figure.value, figure.p50, figure.p95, figure.p99].map(value => formatValue(value, figure.unit)),
    String(figure.n),
    goalText(figure),
    figure.note ?? '',
  ])
  const header = ['figure', 'value', 'p50', 'p95', 'p99', 'n', 'goal', 'note']
  const parameters = Object.entries(report.parameters).map(([key, value]) => `${key}=${value}`)
  return [
    `scenario   ${report.scenario}`,
    `commit     ${report.commit}`,
    `host       ${host.cpu}, ${host.cores} cores, ${formatValue(host.memoryBytes, 'bytes')}, kernel ${host.kernel}, Node ${host.node}, ffmpeg ${host.ffmpeg ?? 'not found'}`,
    `parameters ${parameters.join(' ')}`,
    '',
    ...formatTable(header, rows),
    ...report.warnings.map(warning => `warning: ${warning}`),
    '',
  ].join('\n')
}
