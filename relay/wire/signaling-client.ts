import { RelayFault } from './fault.ts'
import { decodeNodeMessage, decodeReplyData, SIGNALING_LIMITS } from './signaling.ts'
import type { ClientRequest, NodeMessage, Notification, ReplyData, RequestType } from './signaling.ts'

/** The part of a WHATWG `WebSocket` that signaling needs: a browser's, or the one of the `ws` package. */
export interface SignalingSocket {
  send(frame: string): void
  close(code?: number, reason?: string): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void
  addEventListener(type: 'error', listener: () => void): void
}

/** The parameters of one request, without what the client fills in. */
export type RequestParameters<Type extends RequestType> = Omit<Extract<ClientRequest, { type: Type }>, 'type' | 'requestId'>

/** What {@link SignalingClient} may be told. */
export interface SignalingClientOptions {
  readonly onNotification: (notification: Notification) => void
  /** How long to wait for a reply, in seconds. */
  readonly requestTimeoutSeconds?: number
}

interface Pending {
  readonly type: RequestType
  readonly resolve: (data: unknown) => void
  readonly reject: (fault: RelayFault) => void
  readonly timer: ReturnType<typeof setTimeout>
}

/** The client's half of the signaling protocol, over a socket that is already open. */
export class SignalingClient {
  readonly #socket: SignalingSocket
  readonly #onNotification: (notification: Notification) => void
  readonly #requestTimeoutMillis: number
  readonly #pending = new Map<number, Pending>()
  readonly #closed = Promise.withResolvers<RelayFault>()
  #isClosed = false
  #nextRequestId = 1
  #silenceTimer: ReturnType<typeof setTimeout> | undefined

  constructor(socket: SignalingSocket, options: SignalingClientOptions) {
    this.#socket = socket
    this.#onNotification = options.onNotification
    this.#requestTimeoutMillis = (options.requestTimeoutSeconds ?? 10) * 1000
    socket.addEventListener('message', event => this.#receive(event.data))
    socket.addEventListener('close', () => this.#settle(new RelayFault('unavailable', 'the signaling connection closed')))
    socket.addEventListener('error', () => this.#settle(new RelayFault('unavailable', 'the signaling connection failed')))
    this.#watchSilence()
  }

  /** Whether it has ended. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Settles once, with the reason. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#closed.promise
  }

  /**
   * Sends one request and waits for its reply.
   *
   * @throws {RelayFault} The node's own code; `timeout` without a reply in time; `unavailable` when the socket is or gets closed.
   */
  request<Type extends RequestType>(type: Type, parameters: RequestParameters<Type>): Promise<ReplyData<Type>> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(new RelayFault('unavailable', 'the signaling connection is closed'))
        return
      }
      const requestId = this.#nextRequestId++
      const timer = setTimeout(() => {
        this.#pending.delete(requestId)
        reject(new RelayFault('timeout', `no reply to ${type} in time`))
      }, this.#requestTimeoutMillis)
      this.#pending.set(requestId, { type, timer, reject, resolve: data => resolve(data as ReplyData<Type>) })
      this.#socket.send(JSON.stringify({ ...parameters, type, requestId }))
    })
  }

  /** Closes the socket and rejects what still waits. Idempotent; the first reason wins. */
  close(reason: RelayFault = new RelayFault('unavailable', 'closed by this side')): void {
    this.#settle(reason)
  }

  #receive(data: unknown): void {
    this.#watchSilence()
    let message: NodeMessage
    try {
      message = decodeNodeMessage(String(data))
    } catch (cause) {
      this.#settle(new RelayFault('bad_message', 'the node sent something this protocol does not know', { cause }))
      return
    }
    if (message.type !== 'reply') {
      if (message.type === 'closing') this.#settle(new RelayFault(message.fault.code, message.fault.message))
      else this.#onNotification(message)
      return
    }
    const pending = this.#pending.get(message.requestId)
    // A reply that comes after its timeout has nobody waiting.
    if (pending === undefined) return
    this.#pending.delete(message.requestId)
    clearTimeout(pending.timer)
    if (!message.ok) {
      pending.reject(new RelayFault(message.fault.code, message.fault.message))
      return
    }
    try {
      pending.resolve(decodeReplyData(pending.type, message.data))
    } catch (error) {
      pending.reject(error instanceof RelayFault ? error : new RelayFault('bad_message', 'unreadable reply', { cause: error }))
    }
  }

  #watchSilence(): void {
    clearTimeout(this.#silenceTimer)
    if (this.#isClosed) return
    this.#silenceTimer = setTimeout(
      () => this.#settle(new RelayFault('timeout', 'the node has gone silent')),
      SIGNALING_LIMITS.heartbeatTimeoutSeconds * 1000,
    )
  }

  #settle(reason: RelayFault): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#silenceTimer)
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer)
      pending.reject(reason)
    }
    this.#pending.clear()
    this.#closed.resolve(reason)
    this.#socket.close()
  }
}
