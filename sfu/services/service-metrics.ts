import { Counter, Gauge, Histogram } from 'prom-client'
import type { Registry } from 'prom-client'

/** What requests are counted under whose service the registry does not know. */
export const NO_SERVICE = 'none'

/** The metrics of services in common. `service` is a name of the registry, or {@link NO_SERVICE}. `docs/METRICS.md` lists them; a test compares the two. */
export class ServiceMetrics {
  readonly requests
  readonly running
  readonly duration
  readonly bytes

  constructor(registry: Registry) {
    const registers = [registry]
    this.requests = new Counter({
      name: 'kenkyo_service_requests_total',
      help: 'Requests of services, counted when they are over, by ok where an answer of the service was delivered to its end, or by the fault code that refused or ended them.',
      labelNames: ['service', 'outcome'] as const, registers,
    })
    this.running = new Gauge({ name: 'kenkyo_service_requests_running', help: 'Requests of services that run now.', labelNames: ['service'] as const, registers })
    this.duration = new Histogram({
      name: 'kenkyo_service_request_duration_seconds',
      help: 'From a request being admitted to the last byte of its answer handed on, for requests that ended with ok.',
      labelNames: ['service'] as const, buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300], registers,
    })
    this.bytes = new Counter({
      name: 'kenkyo_service_bytes_total', help: 'Bytes of bodies: out to services, in from them.', labelNames: ['service', 'direction'] as const, registers,
    })
  }
}
