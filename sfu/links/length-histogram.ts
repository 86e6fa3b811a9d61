import { Histogram } from 'prom-client'
import type { HistogramConfiguration, LabelValues, MetricObjectWithValues, MetricValueWithName } from 'prom-client'

interface Series {
  readonly labels: object
  /** One per bucket, and one for what is longer than the last. */
  counts: number[]
  sum: number
}

/**
 * A histogram that is given counts by bucket instead of single values: whoever counts thousands of bursts a second has
 * put them in buckets already.
 */
export class LengthHistogram<Label extends string> extends Histogram<Label> {
  readonly #name: string
  readonly #help: string
  readonly #bounds: readonly number[]
  readonly #series = new Map<string, Series>()

  constructor(configuration: HistogramConfiguration<Label> & { readonly buckets: readonly number[] }) {
    super(configuration)
    this.#name = configuration.name
    this.#help = configuration.help
    this.#bounds = configuration.buckets
  }

  /**
   * Adds observations.
   *
   * @param counts - How many fell into each bucket, not cumulative; the last is for those beyond the highest bound.
   * @param sum - Of the values observed.
   */
  add(labels: LabelValues<Label>, counts: readonly number[], sum: number): void {
    const key = JSON.stringify(labels)
    let series = this.#series.get(key)
    if (series === undefined) this.#series.set(key, (series = { labels, counts: Array(this.#bounds.length + 1).fill(0) as number[], sum: 0 }))
    series.counts = series.counts.map((before, index) => before + (counts[index] ?? 0))
    series.sum += sum
  }

  /** @inheritdoc */
  override get(): Promise<MetricObjectWithValues<MetricValueWithName<Label>>> {
    return this.getForPromString()
  }

  /** What prom-client's registry reads the text from where a metric has it, as Histogram does. */
  getForPromString(): Promise<MetricObjectWithValues<MetricValueWithName<Label>>> {
    const values = [...this.#series.values()].flatMap(series => this.#exposed(series))
    return Promise.resolve({ name: this.#name, help: this.#help, type: 'histogram', aggregator: 'sum', values } as unknown as MetricObjectWithValues<MetricValueWithName<Label>>)
  }

  #exposed({ labels, counts, sum }: Series): object[] {
    let count = 0
    const buckets = counts.map((inBucket, index) => {
      count += inBucket
      return { metricName: `${this.#name}_bucket`, labels: { ...labels, le: this.#bounds[index] ?? '+Inf' }, value: count }
    })
    return [...buckets, { metricName: `${this.#name}_sum`, labels, value: sum }, { metricName: `${this.#name}_count`, labels, value: count }]
  }
}
