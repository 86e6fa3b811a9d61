import { randomUUID } from 'node:crypto'
import { RelayFault } from '../relay/wire/fault.ts'
import { SessionId } from '../relay/wire/ids.ts'
import { actionNeeded, REQUESTS } from '../relay/wire/signaling.ts'
import type { Admission } from '../relay/access/invitation.ts'
import type { GrantedMedia } from '../relay/wire/admission.ts'
import type { AccessAction } from '../relay/wire/access.ts'
import type { MemberId } from '../relay/wire/ids.ts'
import type { ClientRequest, MemberProtocol, ReplyData, RequestOf, RequestTypeOf, Role } from '../relay/wire/signaling.ts'
import type { MemberColour } from '../relay/wire/slide-sharing.ts'
import type { Notify } from './consultation.ts'

/** A request of a member who has joined and is staying. */
export type SessionRequest = Exclude<ClientRequest, { type: 'join' | 'leave' }>

/**
 * What answers each request that a role may send, one after the other.
 *
 * @throws {RelayFault} each request's own codes.
 */
export type Handlers<Asking extends Role> = {
  readonly [Type in RequestTypeOf<Asking>]: (request: RequestOf<Type>) => ReplyData<Type> | Promise<ReplyData<Type>>
}

/** One member's stay in one consultation, from join to close. Ends at the latest when the invitation or the grant does, with why. */
export abstract class Session {
  readonly sessionId = SessionId.parse(randomUUID())
  readonly memberId: MemberId
  readonly role: Role
  readonly notify: Notify
  /** What it came by. */
  readonly protocol: MemberProtocol
  readonly #closed = Promise.withResolvers<RelayFault>()
  readonly #admission: Admission
  readonly #leave: () => void
  readonly #expire: () => void
  #isClosed = false

  /** @throws {RelayFault} why the admission ended, when it has: its end would not be heard of any more. */
  constructor(admission: Admission, notify: Notify, protocol: MemberProtocol = 'signaling') {
    admission.expired.throwIfAborted()
    this.memberId = admission.memberId
    this.role = admission.role
    this.notify = notify
    this.protocol = protocol
    this.#admission = admission
    const { expired } = admission
    this.#expire = () => this.close(expired.reason as RelayFault)
    expired.addEventListener('abort', this.#expire, { once: true })
    this.#leave = admission.enter()
  }

  /**
   * Answers one request; the caller sends one after the other.
   *
   * @returns The data of the reply.
   * @throws {RelayFault} `wrong_state` once it is closed, `wrong_role` when it is not this role's to ask, `policy_refused` when it was not granted, and each request's own codes.
   */
  async handle(request: SessionRequest): Promise<object> {
    // What it opened after its end nobody would close.
    if (this.#isClosed) throw new RelayFault('wrong_state', 'the session is closed')
    const askedBy: readonly Role[] = REQUESTS[request.type].askedBy
    const handler = (this.handlers as Partial<Record<string, (request: SessionRequest) => object | Promise<object>>>)[request.type]
    if (!askedBy.includes(this.role) || handler === undefined) throw new RelayFault('wrong_role', `a ${this.role} may not ask for ${request.type}`)
    const action = actionNeeded(REQUESTS[request.type], this.role)
    if (action !== null) this.#admission.require(action)
    return handler(request)
  }

  /** What it may do at this moment. */
  get actions(): ReadonlySet<AccessAction> {
    return this.#admission.actions
  }

  /** What its grant lets flow over a link; null: whatever there is. */
  get granted(): GrantedMedia | null {
    return this.#admission.media
  }

  /** When the invitation ends, in milliseconds since the epoch. */
  get validUntilMillis(): number {
    return this.#admission.validUntilMillis
  }

  /** By request type; each subclass has those of its roles. */
  protected abstract readonly handlers: object

  /** Releases what the session holds. Called once. */
  protected abstract release(): void

  /** Index of the colour in which others see this member; null for one that is not seen. */
  get colour(): MemberColour | null {
    return null
  }

  /** Settles once, with the reason. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#closed.promise
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Idempotent; the first reason wins. */
  close(reason: RelayFault): void {
    if (this.#isClosed) return
    this.#isClosed = true
    // A grant outlives many sessions.
    this.#admission.expired.removeEventListener('abort', this.#expire)
    this.#leave()
    this.#admission.release()
    this.release()
    this.#closed.resolve(reason)
  }
}
