import { Counter, Gauge, Histogram } from 'prom-client'
import type { AuditObserver } from '../../relay/audit/file-audit-log.ts'
import type { Registry } from 'prom-client'

/** The metrics of a node's audit log. `docs/METRICS.md` lists them; a test compares the two. */
export class AuditMetrics implements AuditObserver {
  readonly #events
  readonly #bytes
  readonly #commits
  readonly #refused
  readonly #queued

  constructor(registry: Registry) {
    const registers = [registry]
    this.#events = new Counter({ name: 'kenkyo_audit_events_total', help: 'Events on disk for good, by kind.', labelNames: ['kind'] as const, registers })
    this.#bytes = new Counter({ name: 'kenkyo_audit_written_bytes_total', help: 'Bytes of the audit log, signed heads included.', registers })
    this.#commits = new Histogram({
      name: 'kenkyo_audit_commit_duration_seconds', help: 'From the turn of a write to its events being on disk: hashing, signing, the write and fdatasync.',
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5], registers,
    })
    this.#refused = new Counter({ name: 'kenkyo_audit_refused_total', help: 'Events that could not be recorded, so that what they are about was refused.', registers })
    this.#queued = new Gauge({ name: 'kenkyo_audit_queued_emergencies', help: 'Emergencies that went on unrecorded and wait in memory.', registers })
  }

  committed({ events, bytes, millis }: Parameters<AuditObserver['committed']>[0]): void {
    for (const { kind } of events) this.#events.inc({ kind })
    this.#bytes.inc(bytes)
    this.#commits.observe(millis / 1000)
  }

  refused(events: number): void {
    this.#refused.inc(events)
  }

  queued(events: number): void {
    this.#queued.set(events)
  }
}
