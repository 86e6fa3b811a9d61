import { LRUCache } from 'lru-cache'
import { toFault } from '../../relay/wire/fault.ts'
import type { FacilityId, GrantId, ServiceId } from '../../relay/wire/access.ts'
import type { AuditActor, AuditEventInput } from '../../relay/wire/audit-event.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { ConsultationId } from '../../relay/wire/ids.ts'
import type { Logger } from '../../relay/runtime/log.ts'

const MINUTE_MILLIS = 60_000
/** Pairs of grant and service, and refusals, that are remembered. */
const MAX_REMEMBERED = 8192

/** Who uses services, by which grant. */
export interface ServiceGrant {
  readonly actor: AuditActor
  readonly facilityId: FacilityId
  readonly consultationId: ConsultationId | null
  /** Null where an invitation decides. */
  readonly grantId: GrantId | null
  readonly isEmergency: boolean
  /** Aborts when it holds no longer, with the fault that says why. */
  readonly ended: AbortSignal
}

/** What services need of the audit log. */
export interface ServiceRecord {
  /** Settles when it is on disk. @throws {RelayFault} `not_recorded`. */
  record(event: AuditEventInput): Promise<unknown>
  /** The same, which proceeds in any case. */
  recordEmergency(event: AuditEventInput): Promise<unknown>
}

/** Records who uses which service: once a minute by grant and service, before the first request of that minute, and never what was asked. */
export class ServiceAudit {
  readonly #audit: ServiceRecord
  readonly #now: () => number
  readonly #log: Logger
  readonly #recorded: LRUCache<string, Promise<unknown>>

  /** @param now - Milliseconds since the epoch. */
  constructor(audit: ServiceRecord, log: Logger, now: () => number = Date.now) {
    this.#audit = audit
    this.#log = log
    this.#now = now
    this.#recorded = new LRUCache({ max: MAX_REMEMBERED })
  }

  /** Settles when this use is on disk. @throws {RelayFault} `not_recorded`. */
  async used(grant: ServiceGrant, serviceId: ServiceId): Promise<void> {
    const key = this.#key(grant, serviceId, 'ok')
    const known = this.#recorded.get(key)
    const recording = known ?? this.#record(grant, serviceId, 'ok')
    if (known === undefined) this.#recorded.set(key, recording)
    try {
      await recording
    } catch (error) {
      // Whoever asks next tries again.
      if (this.#recorded.get(key) === recording) this.#recorded.delete(key)
      throw error
    }
  }

  /** Records a refusal. That it cannot be recorded is only logged: nothing happened. */
  refused(grant: ServiceGrant, serviceId: ServiceId, code: FaultCode): void {
    const key = this.#key(grant, serviceId, code)
    if (this.#recorded.has(key)) return
    const recording = this.#record(grant, serviceId, code).catch((error: unknown) => {
      this.#recorded.delete(key)
      this.#log.warn({ code: toFault(error).code }, 'a refusal of a service was not recorded')
    })
    this.#recorded.set(key, recording)
  }

  #key({ grantId, actor, facilityId }: ServiceGrant, serviceId: ServiceId, outcome: string): string {
    const who = grantId ?? JSON.stringify(actor)
    return [Math.floor(this.#now() / MINUTE_MILLIS), facilityId, who, serviceId, outcome].join(' ')
  }

  async #record({ actor, consultationId, grantId, isEmergency }: ServiceGrant, serviceId: ServiceId, outcome: FaultCode | 'ok'): Promise<void> {
    const event: AuditEventInput = {
      kind: 'access', atMillis: this.#now(), access: 'use_service', actor, consultationId, subject: { serviceId }, outcome,
      ...(grantId === null ? {} : { grantId }),
    }
    await (isEmergency ? this.#audit.recordEmergency(event) : this.#audit.record(event))
  }
}
