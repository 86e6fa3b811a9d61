import { Counter, Gauge } from 'prom-client'
import type { Registry } from 'prom-client'

/** The metrics of a node's WHIP and WHEP. `docs/METRICS.md` lists them; a test compares the two. */
export class ForeignMetrics {
  readonly sessions
  readonly opened

  constructor(registry: Registry) {
    const registers = [registry]
    this.sessions = new Gauge({ name: 'kenkyo_foreign_sessions', help: 'Sessions of WHIP and WHEP clients that are open now.', labelNames: ['protocol'] as const, registers })
    this.opened = new Counter({
      name: 'kenkyo_foreign_offers_total', help: 'Offers of WHIP and WHEP clients that were admitted, by ok where a session was opened, or by the fault code they were refused with.', labelNames: ['protocol', 'outcome'] as const, registers,
    })
  }
}
