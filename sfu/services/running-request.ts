import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import type { RegisteredService } from '../../relay/access/registry/registry.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { ServiceGrant } from './service-audit.ts'

/** How a request of a service ended: `abandoned` by whoever asked. */
export type ServiceOutcome = FaultCode | 'ok' | 'abandoned'

/** What undici calls a service that is silent or cannot be connected to in time. */
const TIMEOUTS: ReadonlySet<unknown> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'])

const codeOf = (thrown: unknown): unknown => (typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined)

/** One request of a service, until it is over or something ends it. */
export class RunningRequest {
  readonly service: RegisteredService
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #grant: ServiceGrant
  readonly #byGrant: () => void
  readonly #settled: (outcome: ServiceOutcome) => void
  #isAbandoned = false
  #isOver = false

  /** @param settled - Told once. */
  constructor(service: RegisteredService, grant: ServiceGrant, longest: Millis, settled: (outcome: ServiceOutcome) => void) {
    this.service = service
    this.#grant = grant
    this.#settled = settled
    this.#byGrant = () => this.end(toFault(grant.ended.reason))
    this.#timer = setTimeout(() => this.end(new RelayFault('timeout', 'the request took too long')), longest).unref()
    if (grant.ended.aborted) this.#byGrant()
    else grant.ended.addEventListener('abort', this.#byGrant, { once: true })
  }

  /** Aborts with the fault that ends it. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Ends it before its time. */
  end(fault: RelayFault): void {
    this.#controller.abort(fault)
  }

  /** Whoever asked has gone. */
  abandon(): void {
    if (this.#isOver) return
    this.#isAbandoned = true
    this.end(new RelayFault('unavailable', 'whoever asked has gone'))
  }

  /** It is over, well if nothing was thrown. @returns What to tell whoever asked, if it is not over well. */
  settle(thrown?: unknown): RelayFault | undefined {
    const fault = thrown === undefined ? undefined : this.#faultOf(thrown)
    if (this.#isOver) return fault
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#grant.ended.removeEventListener('abort', this.#byGrant)
    this.#settled(fault === undefined ? 'ok' : this.#isAbandoned ? 'abandoned' : fault.code)
    return fault
  }

  #faultOf(thrown: unknown): RelayFault {
    const reason: unknown = this.signal.aborted ? this.signal.reason : thrown
    if (reason instanceof RelayFault) return reason
    if (TIMEOUTS.has(codeOf(reason))) return new RelayFault('timeout', 'the service does not answer', { cause: reason })
    return new RelayFault('unavailable', 'the service cannot be reached', { cause: reason })
  }
}
