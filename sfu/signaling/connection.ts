import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { decodeClientRequest, PROTOCOL_VERSION, salvageRequestId, SIGNALING_LIMITS } from '../../relay/wire/signaling.ts'
import { RequestGate } from './request-gate.ts'
import type { Admission } from '../../relay/access/invitation.ts'
import type { Possession } from '../../relay/access/grants/proof-of-possession.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { ClientRequest, NodeMessage, Publication, ReplyData, RequestOf, RequestType } from '../../relay/wire/signaling.ts'
import type { ConsultationId, SessionId } from '../../relay/wire/ids.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { RecordedMember } from '../access/recorded-member.ts'
import type { Notify } from '../consultation.ts'
import type { Session, SessionRequest } from '../session.ts'
import type { WebSocket } from 'ws'

/** A client that lets this much pile up unread is cut off, in bytes. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024
/** WebSocket close codes. @see RFC 6455 section 7.4.1 */
const CLOSE_NORMAL = 1000
const CLOSE_POLICY = 1008

/** A place in a consultation, as signaling sees it. */
export interface Seat {
  readonly session: Session
  readonly consultationId: ConsultationId
  readonly publication: Publication | null
}

/** Where it is recorded what members do. Nothing is done before it settles. */
export interface AccessRecorder {
  /** @throws {RelayFault} `not_recorded`. */
  joining(admission: Admission): Promise<void>
  left(member: RecordedMember, sessionId: SessionId): void
  /** @throws {RelayFault} `not_recorded`. */
  asking(member: RecordedMember, sessionId: SessionId, request: SessionRequest): Promise<void>
  failedRequest(member: RecordedMember, sessionId: SessionId, request: SessionRequest, error: unknown): void
}

/** What a connection needs of the node. */
export interface ConnectionHost {
  /** @throws {RelayFault} `invitation_refused`, `invitation_expired`, `token_refused`. */
  verify(invitation: string, possession: Possession): Promise<Admission>
  /** @throws {RelayFault} `overloaded` or `conflict`. */
  admit(admission: Admission, notify: Notify): Seat
  countRequest(type: RequestType | 'unreadable', outcome: FaultCode | 'ok'): void
  /** Without it nothing is recorded. */
  readonly recorder?: AccessRecorder | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** One signaling socket: turns frames into requests, requests into replies, and faults into codes. */
export class SignalingConnection {
  readonly #socket: WebSocket
  readonly #host: ConnectionHost
  readonly #by: Possession
  readonly #gate: RequestGate
  readonly #joinTimer: NodeJS.Timeout
  #log: Logger
  #session: Session | undefined
  #member: RecordedMember | undefined
  #heardAt: Millis
  #isClosed = false
  /** Requests of one socket are worked on one after the other. */
  #work: Promise<void> = Promise.resolve()

  /** @param by - How the socket was opened. */
  constructor(socket: WebSocket, host: ConnectionHost, by: Possession) {
    this.#by = by
    this.#socket = socket
    this.#host = host
    this.#log = host.log
    this.#heardAt = host.clock.now()
    this.#gate = new RequestGate(host.clock.now())
    this.#joinTimer = setTimeout(() => {
      if (this.#session === undefined) this.close(new RelayFault('timeout', 'not joined in time'))
    }, SIGNALING_LIMITS.joinTimeoutSeconds * 1000)
    socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary))
    socket.on('pong', () => (this.#heardAt = this.#host.clock.now()))
    socket.on('close', () => this.#dispose(new RelayFault('unavailable', 'the signaling connection closed')))
    socket.on('error', err => this.#log.debug({ err }, 'signaling socket error'))
  }

  /** Sends proof of life, and closes when none came back. Called every heartbeat interval. */
  beat(): void {
    if (this.#host.clock.now() - this.#heardAt > SIGNALING_LIMITS.heartbeatTimeoutSeconds * 1000) {
      this.#dispose(new RelayFault('timeout', 'the client has gone silent'))
      this.#socket.terminate()
      return
    }
    this.#socket.ping()
    this.#send({ type: 'heartbeat' })
  }

  /** Tells the client why, then closes. Idempotent. */
  close(reason: RelayFault): void {
    if (this.#isClosed) return
    this.#send({ type: 'closing', fault: { code: reason.code, message: reason.message } })
    this.#dispose(reason)
    this.#socket.close(reason.code === 'unavailable' ? CLOSE_NORMAL : CLOSE_POLICY, reason.code)
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#isClosed) return
    this.#heardAt = this.#host.clock.now()
    const frame = isBinary ? '' : data.toString('utf8')
    let request: ClientRequest
    try {
      this.#gate.countFrame(this.#heardAt)
      if (isBinary) throw new RelayFault('bad_message', 'messages are text')
      request = decodeClientRequest(frame)
    } catch (error) {
      this.#refuse('unreadable', salvageRequestId(frame), toFault(error))
      return
    }
    try {
      this.#gate.admit(request)
    } catch (error) {
      this.#refuse(request.type, request.requestId, toFault(error))
      return
    }
    this.#work = this.#work.then(() => this.#answer(request)).finally(() => this.#gate.finished())
  }

  async #answer(request: ClientRequest): Promise<void> {
    if (this.#isClosed) return
    try {
      const data = await this.#dispatch(request)
      this.#gate.succeeded()
      this.#host.countRequest(request.type, 'ok')
      this.#send({ type: 'reply', requestId: request.requestId, ok: true, data })
      if (request.type === 'leave') this.close(new RelayFault('unavailable', 'left'))
    } catch (error) {
      // What a request trips over when its session ended in the middle is nobody's concern any more.
      if (this.#isClosed as boolean) return
      const fault = toFault(error)
      if (fault.code === 'internal') this.#log.error({ err: error, type: request.type }, 'request failed')
      this.#refuse(request.type, request.requestId, fault)
    }
  }

  async #dispatch(request: ClientRequest): Promise<object> {
    if (request.type === 'join') return this.#join(request)
    if (this.#session === undefined) throw new RelayFault('wrong_state', 'join first')
    return request.type === 'leave' ? {} : this.#handle(this.#session, request)
  }

  async #handle(session: Session, request: SessionRequest): Promise<object> {
    const { recorder } = this.#host
    const member = this.#member
    if (recorder === undefined || member === undefined) return session.handle(request)
    await recorder.asking(member, session.sessionId, request)
    try {
      return await session.handle(request)
    } catch (error) {
      recorder.failedRequest(member, session.sessionId, request, error)
      throw error
    }
  }

  async #join(request: RequestOf<'join'>): Promise<ReplyData<'join'>> {
    if (this.#session !== undefined) throw new RelayFault('wrong_state', 'joined already')
    if (request.protocol !== PROTOCOL_VERSION) {
      throw new RelayFault('bad_message', `this node speaks protocol ${PROTOCOL_VERSION}`)
    }
    const member = await this.#host.verify(request.invitation, { ...this.#by, proof: request.proof })
    const { session, consultationId, publication } = await this.#enter(member)
    this.#session = session
    clearTimeout(this.#joinTimer)
    const { sessionId, memberId, role, colour, actions } = session
    this.#log = this.#host.log.child({ sessionId, consultationId, role })
    this.#log.info('session opened')
    this.#member = member
    void session.closed.then(reason => {
      this.#host.recorder?.left(member, sessionId)
      this.close(reason)
    })
    return { sessionId, consultationId, memberId, role, actions: [...actions], colour, publication }
  }

  async #enter(admission: Admission): Promise<Seat> {
    try {
      await this.#host.recorder?.joining(admission)
      // The socket may have closed while the signature was checked.
      if (this.#isClosed) throw new RelayFault('unavailable', 'the signaling connection closed')
      return this.#host.admit(admission, notification => this.#send(notification))
    } catch (error) {
      admission.release()
      throw error
    }
  }

  #refuse(type: RequestType | 'unreadable', requestId: number | undefined, { code, message }: RelayFault): void {
    this.#host.countRequest(type, code)
    const fault = { code, message }
    if (requestId === undefined) this.#send({ type: 'refused', fault })
    else this.#send({ type: 'reply', requestId, ok: false, fault })
    if (this.#gate.refused()) this.close(new RelayFault(code, 'too many refused messages in a row'))
  }

  #send(message: NodeMessage): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#dispose(new RelayFault('overloaded', 'the client does not read'))
      this.#socket.terminate()
      return
    }
    this.#socket.send(JSON.stringify(message))
  }

  #dispose(reason: RelayFault): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#joinTimer)
    if (this.#session === undefined) return
    this.#log.info({ code: reason.code }, 'session closed')
    this.#session.close(reason)
  }
}
