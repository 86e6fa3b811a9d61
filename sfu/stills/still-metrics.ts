import { Counter } from 'prom-client'
import type { Registry } from 'prom-client'

/** The metrics of a node's stills. `docs/METRICS.md` lists them; a test compares the two. */
export class StillMetrics {
  readonly ended

  constructor(registry: Registry) {
    this.ended = new Counter({
      name: 'kenkyo_stills_total', help: 'Stills that were asked for and are settled, by ok where they are kept, or by the fault code that they failed with.', labelNames: ['outcome'] as const, registers: [registry],
    })
  }
}
