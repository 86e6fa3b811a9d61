import { WebSocket } from 'ws'
import { PROTOCOL_VERSION, SIGNALING_PATH } from '../../relay/wire/signaling.ts'

/** A message as it came, undecoded. */
export type RawMessage = Record<string, unknown> & { type: string; requestId?: number; ok?: boolean; data?: unknown; fault?: { code: string } }

const DEADLINE_MILLIS = 5000

/** What a client trusts, and shows. PEM. */
export type ClientTls = Partial<Record<'ca' | 'cert' | 'key', string | Buffer>>

/** A signaling client without manners: sends anything, hides nothing. */
export class RawClient implements AsyncDisposable {
  readonly socket: WebSocket
  readonly received: RawMessage[] = []
  readonly closed: Promise<number>
  readonly #token: string
  readonly #waiting = new Set<() => void>()
  #nextRequestId = 1

  private constructor(socket: WebSocket, token: string) {
    this.socket = socket
    this.#token = token
    this.closed = new Promise(resolve => socket.once('close', resolve))
    socket.on('error', () => undefined)
    socket.on('close', () => this.#wake())
    socket.on('message', (data: Buffer) => {
      this.received.push(JSON.parse(data.toString()) as RawMessage)
      this.#wake()
    })
  }

  /** @param tls - Certificate of a node that serves TLS; or that, and the client's own. */
  static async open(link: string, tls: string | ClientTls = {}): Promise<RawClient> {
    const url = new URL(link)
    const token = new URLSearchParams(url.hash.slice(1)).get('invitation') ?? ''
    const socket = new WebSocket(`${url.origin.replace('http', 'ws')}${SIGNALING_PATH}`, typeof tls === 'string' ? { ca: tls } : { ...tls })
    const client = new RawClient(socket, token)
    await new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    return client
  }

  static async join(link: string): Promise<RawClient> {
    const client = await RawClient.open(link)
    await client.ok('join', client.joinParameters())
    return client
  }

  joinParameters(): { protocol: number; invitation: string } {
    return { protocol: PROTOCOL_VERSION, invitation: this.#token }
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' || frame instanceof Uint8Array ? frame : JSON.stringify(frame))
  }

  /** The first message, from `since` on, that satisfies `predicate`. Fails at the deadline or when the socket closes first. */
  async find(predicate: (message: RawMessage) => boolean, since = 0): Promise<RawMessage> {
    const deadline = performance.now() + DEADLINE_MILLIS
    for (;;) {
      const found = this.received.slice(since).find(predicate)
      if (found !== undefined) return found
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`no such message among ${JSON.stringify(this.received.slice(since)).slice(0, 500)}`)
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('socket closed')
      await new Promise<void>(resolve => {
        const timer = setTimeout(done, left)
        const waiting = this.#waiting
        function done(): void {
          clearTimeout(timer)
          waiting.delete(done)
          resolve()
        }
        waiting.add(done)
      })
    }
  }

  /** Sends one request and returns its reply, whatever it says. */
  async request(type: string, parameters: object = {}): Promise<RawMessage> {
    const requestId = this.#nextRequestId++
    this.send({ type, ...parameters, requestId })
    return this.find(message => message.type === 'reply' && message.requestId === requestId)
  }

  /** The data of a reply that must succeed. */
  async ok(type: string, parameters: object = {}): Promise<Record<string, unknown>> {
    const reply = await this.request(type, parameters)
    if (reply.ok !== true) throw new Error(`${type} failed: ${JSON.stringify(reply.fault)}`)
    return reply.data as Record<string, unknown>
  }

  /** The code of a reply that must fail. */
  async refusal(type: string, parameters: object = {}): Promise<string> {
    const reply = await this.request(type, parameters)
    if (reply.ok !== false) throw new Error(`${type} was accepted`)
    return reply.fault?.code ?? ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close()
    await this.closed
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }
}
