import { consentState } from '../consent/consent-statement.ts'
import { CORE_PATIENCE_MILLIS } from './core-stream.ts'
import type { ConsultationId } from '../../wire/ids.ts'
import type { ConsentAnswer, ConsentBook, ConsentQuery, ConsentStatement } from '../consent/consent-statement.ts'
import type { ConsultationEntry } from '../consultations/consultation-entry.ts'
import type { RegistryCache } from '../registry/registry-cache.ts'
import type { CoreMessage } from './core-stream.ts'

/**
 * What a node knows of the core's mind: consents and consultations as last told, kept in memory, and when the core
 * was last heard. What was never told is unknown: a node that starts without the core grants nothing.
 */
export class CoreMirror implements ConsentBook {
  readonly #registry: Pick<RegistryCache, 'take'>
  readonly #revocations: { take(crlsPem: string): Promise<void> } | undefined
  /** Monotonic milliseconds. */
  readonly #now: () => number
  readonly #listeners = new Set<(consultationId: ConsultationId) => void>()
  #consents = new Map<ConsultationId, Map<string, ConsentStatement>>()
  #consultations = new Map<ConsultationId, ConsultationEntry>()
  /** What a new stream has told so far; it replaces the old when it is complete. */
  #arriving: { consents: Map<ConsultationId, Map<string, ConsentStatement>>; consultations: Map<ConsultationId, ConsultationEntry> } | undefined
  #lastHeardMillis = -Infinity

  constructor(registry: Pick<RegistryCache, 'take'>, now: () => number, revocations?: { take(crlsPem: string): Promise<void> }) {
    this.#revocations = revocations
    this.#registry = registry
    this.#now = now
  }

  /** Monotonic milliseconds; -Infinity before it was first heard in full. */
  get lastHeardMillis(): number {
    return this.#lastHeardMillis
  }

  /** Whether the core was heard so lately that something new may be granted. */
  get isReachable(): boolean {
    return this.#now() - this.#lastHeardMillis <= CORE_PATIENCE_MILLIS
  }

  /** Takes one message of the core. @throws {RelayFault} `registry_refused`. */
  async take(message: CoreMessage): Promise<void> {
    switch (message.type) {
      case 'hello':
        this.#arriving = { consents: new Map(), consultations: new Map() }
        return
      case 'registry':
        await this.#registry.take(message.snapshot)
        return
      case 'revocations':
        await this.#revocations?.take(message.crlsPem)
        return
      case 'consent':
        this.#keepConsent(message.statement)
        return
      case 'consultation':
        this.#keepConsultation(message.entry)
        return
      case 'complete':
        this.#complete()
        this.#lastHeardMillis = this.#now()
        return
      case 'heartbeat':
        if (this.#arriving === undefined) this.#lastHeardMillis = this.#now()
        return
      case 'audit_question':
        // Whoever answers hears it before the mirror.
        return
      default:
        message satisfies never
    }
  }

  stateOf(query: ConsentQuery): ConsentAnswer {
    return consentState(this.#consents.get(query.consultationId)?.values() ?? [], query)
  }

  consultation(consultationId: ConsultationId): ConsultationEntry | undefined {
    return this.#consultations.get(consultationId)
  }

  changed(listener: (consultationId: ConsultationId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #keepConsent(statement: ConsentStatement): void {
    const consents = this.#arriving?.consents ?? this.#consents
    const { consultationId } = statement
    if (!consents.has(consultationId)) consents.set(consultationId, new Map())
    consents.get(consultationId)?.set(statement.consentId, statement)
    if (this.#arriving === undefined) this.#tell(consultationId)
  }

  #keepConsultation(entry: ConsultationEntry): void {
    const consultations = this.#arriving?.consultations ?? this.#consultations
    consultations.set(entry.consultationId, entry)
    if (this.#arriving === undefined) this.#tell(entry.consultationId)
  }

  /** Whatever may have changed while the core was away is looked at again. */
  #complete(): void {
    if (this.#arriving === undefined) return
    const before = [...this.#consents.keys(), ...this.#consultations.keys()]
    this.#consents = this.#arriving.consents
    this.#consultations = this.#arriving.consultations
    this.#arriving = undefined
    for (const consultationId of new Set([...before, ...this.#consents.keys(), ...this.#consultations.keys()])) this.#tell(consultationId)
  }

  #tell(consultationId: ConsultationId): void {
    for (const listener of this.#listeners) listener(consultationId)
  }
}
