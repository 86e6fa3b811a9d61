import { RelayFault } from '../../wire/fault.ts'
import { HEARTBEAT_INTERVAL_MILLIS } from './core-stream.ts'
import type { ConsentId, NodeId } from '../../wire/access.ts'
import type { AuditSearch } from '../../wire/operator.ts'
import type { ConsentStatement } from '../consent/consent-statement.ts'
import type { ConsultationEntry } from '../consultations/consultation-entry.ts'
import type { RegistryLedger } from '../registry/registry-ledger.ts'
import type { CoreStore } from './core-store.ts'
import type { CoreMessage } from './core-stream.ts'

/** A new version of the registry is made when less than this part of its life is left. */
const RENEWAL_SHARE = 0.5

/** A node that hears the core. */
export interface CoreListener {
  readonly nodeId: NodeId
  /** @returns Whether it can take more; one that cannot is let go, and hears everything when it comes again. */
  tell(message: CoreMessage): boolean
  close(reason: RelayFault): void
}

/** Revocation lists that are made anew from time to time. */
export interface RevocationLists {
  readonly crlsPem: string
  /** @returns Stops listening. */
  changed(listener: (crlsPem: string) => void): () => void
}

/** What the core's desk stands on. */
export interface CoreDeskOptions {
  readonly registry: RegistryLedger
  readonly store: CoreStore
  /** The platform's CA: revocation lists, PEM. */
  readonly revocations?: RevocationLists | undefined
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Keeps what the platform decides by and tells every node of each change. Owns its listeners. */
export class CoreDesk implements Disposable {
  readonly registry: RegistryLedger
  readonly store: CoreStore
  readonly #now: () => number
  readonly #listeners = new Set<CoreListener>()
  readonly #timer: NodeJS.Timeout
  readonly #revocations: RevocationLists | undefined
  readonly #stopListening: (() => void)[]

  constructor({ registry, store, revocations, now }: CoreDeskOptions) {
    this.registry = registry
    this.store = store
    this.#now = now
    this.#revocations = revocations
    const stops = [registry.changed(snapshot => this.#tellAll({ type: 'registry', snapshot })), revocations?.changed(crlsPem => this.#tellAll({ type: 'revocations', crlsPem }))]
    this.#stopListening = stops.filter(stop => stop !== undefined)
    this.#timer = setInterval(() => this.#beat(), HEARTBEAT_INTERVAL_MILLIS)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    for (const stop of this.#stopListening) stop()
    for (const listener of [...this.#listeners]) listener.close(new RelayFault('unavailable', 'the core is stopping'))
    this.#listeners.clear()
  }

  /** Nodes that hear the core. */
  get listeners(): number {
    return this.#listeners.size
  }

  /** The nodes that hear the core at this moment. */
  listening(): ReadonlySet<NodeId> {
    return new Set([...this.#listeners].map(({ nodeId }) => nodeId))
  }

  /** Asks every node that listens for what its audit log has. @returns Which they are. */
  askLogs(questionId: string, search: AuditSearch): NodeId[] {
    this.#tellAll({ type: 'audit_question', questionId, search })
    return [...this.listening()]
  }

  /** Tells a node everything, and from then on what changes. @returns Stops telling. */
  attend(listener: CoreListener): () => void {
    const everything: CoreMessage[] = [
      { type: 'hello', protocol: 1, atMillis: this.#now() },
      { type: 'registry', snapshot: this.registry.snapshot },
      ...(this.#revocations === undefined ? [] : [{ type: 'revocations', crlsPem: this.#revocations.crlsPem } as const]),
      ...this.store.consents().map(statement => ({ type: 'consent', statement }) as const),
      ...this.store.consultations().map(entry => ({ type: 'consultation', entry }) as const),
      { type: 'complete' },
    ]
    for (const message of everything) listener.tell(message)
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes a consent whose signature was checked. @throws {RelayFault} `conflict` for one that is known. */
  addConsent(statement: ConsentStatement, signed: Uint8Array): void {
    this.store.addConsent(statement, signed)
    this.#tellAll({ type: 'consent', statement })
  }

  /** @throws {RelayFault} `not_found`. */
  withdrawConsent(consentId: ConsentId): ConsentStatement {
    const statement = this.store.withdraw(consentId, this.#now())
    this.#tellAll({ type: 'consent', statement })
    return statement
  }

  /** @throws {RelayFault} `registry_refused` when a facility in it is unknown. */
  putConsultation(entry: ConsultationEntry): void {
    const known = new Set(this.registry.contents.facilities.map(({ id }) => id))
    const stranger = [entry.hostFacilityId, ...entry.participants].find(id => !known.has(id))
    if (stranger !== undefined) throw new RelayFault('registry_refused', `${stranger} is no facility`)
    this.store.putConsultation(entry)
    this.#tellAll({ type: 'consultation', entry })
  }

  #beat(): void {
    const { issuedAtMillis, expiresAtMillis } = this.registry.contents
    if (expiresAtMillis - this.#now() < (expiresAtMillis - issuedAtMillis) * RENEWAL_SHARE) void this.registry.renew().catch(() => undefined)
    this.#tellAll({ type: 'heartbeat', atMillis: this.#now() })
  }

  #tellAll(message: CoreMessage): void {
    for (const listener of [...this.#listeners]) {
      if (listener.tell(message)) continue
      this.#listeners.delete(listener)
      listener.close(new RelayFault('overloaded', 'this node does not keep up'))
    }
  }
}
