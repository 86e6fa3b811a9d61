/** One line of a Prometheus exposition. */
export interface MetricSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g

/** Parses the text format, comments left out. @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function parseExposition(text: string): MetricSample[] {
  return text.split('\n').flatMap(line => {
    const match = SAMPLE.exec(line)
    if (match === null || line.startsWith('#')) return []
    const [, name = '', labelText = '', value = ''] = match
    const labels = Object.fromEntries([...labelText.matchAll(LABEL)].map(([, key = '', text = '']) => [key, text]))
    return [{ name, labels, value: Number(value) }]
  })
}

/** Adds up the samples of one metric that `matches` accepts; 0 when there are none. */
export function sumSamples(
  samples: readonly MetricSample[],
  name: string,
  matches: (labels: Readonly<Record<string, string>>) => boolean,
): number {
  return samples.filter(sample => sample.name === name && matches(sample.labels)).reduce((sum, { value }) => sum + value, 0)
}
