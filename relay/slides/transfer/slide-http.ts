import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { z } from 'zod'
import { bodyOf } from '../../runtime/node-request.ts'
import { FAULT_CODES, RelayFault } from '../../wire/fault.ts'
import type { FaultCode } from '../../wire/fault.ts'
import type { Millis } from '../../wire/units.ts'
import type { ClientRequest } from 'node:http'

/** What opens a node's door, where that changes. */
export interface SlideEntrance {
  /** @throws {RelayFault} why nothing does; the signal's reason. */
  entry(signal: AbortSignal): Promise<SlideEntry>
  /** Hears of a refusal. @returns Whether something else can be shown. */
  refused(entry: Pick<SlideEntry, 'token'>, fault: RelayFault): boolean
}

/** A token, and what the connection is made with that it is presented over. */
export interface SlideEntry {
  readonly token: string
  readonly tls: { readonly cert?: Buffer; readonly key?: Buffer; readonly ca?: Buffer }
  /** It opened the door. */
  accepted(): void
}

/** Where slides go. */
export interface SlideOrigin {
  /** Scheme, host and port. */
  readonly origin: string
  /** The invitation; or what opens the door, asked for each request. */
  readonly token: string | SlideEntrance
  /** `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in either case; the program's environment. */
  readonly proxyEnvironment?: NodeJS.ProcessEnv | undefined
}

/** One request. */
export interface SlideRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  /** The connection took so many more bytes of the body: they are sent, or in the system's buffer. */
  readonly onTaken?: (length: number) => void
  /** Without anything being sent or received for so long, it failed. */
  readonly silence: Millis
  /** A longer answer is refused, in bytes; 4 MiB without it. */
  readonly mostBytes?: number
}

/** What came back. */
export interface SlideResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** The longest that a scanner gets is a bitmap of a level's chunks. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
/** A body is written in pieces of this length where progress is asked for: half a second of a connection at 150 ms and 3 % loss. */
const PIECE_BYTES = 32 * 1024

const Refusal = z.looseObject({ code: z.enum(FAULT_CODES) })

/** HTTP(S) to one node, over connections that are kept: one request on each at a time. */
export class SlideHttp implements Disposable {
  readonly #origin: SlideOrigin
  readonly #agent: HttpAgent | HttpsAgent
  readonly #isSecure: boolean

  constructor(origin: SlideOrigin) {
    this.#origin = origin
    this.#isSecure = new URL(origin.origin).protocol === 'https:'
    const options = { keepAlive: true, ...(origin.proxyEnvironment === undefined ? {} : { proxyEnv: origin.proxyEnvironment }) }
    this.#agent = this.#isSecure ? new HttpsAgent({ ...options, minVersion: 'TLSv1.3' }) : new HttpAgent(options)
  }

  /** @throws {RelayFault} The node's refusal; `unavailable` or `timeout` when it was not reached, or its answer is none of a node. The signal's reason when it aborts. */
  async send(request: SlideRequest, signal: AbortSignal): Promise<SlideResponse> {
    signal.throwIfAborted()
    const { token } = this.#origin
    if (typeof token === 'string') return this.#sendWith({ token, tls: {}, accepted: () => undefined }, request, signal)
    const entry = await token.entry(signal)
    // What is shown may change while it is under way.
    const shown = { token: entry.token }
    try {
      return await this.#sendWith(entry, request, signal)
    } catch (error) {
      if (!(error instanceof RelayFault) || !token.refused(shown, error)) throw error
      return this.#sendWith(await token.entry(signal), request, signal)
    }
  }

  async #sendWith(entry: SlideEntry, request: SlideRequest, signal: AbortSignal): Promise<SlideResponse> {
    const response = await this.#exchange(entry, request, signal)
    if (response.status >= 400) throw new RelayFault(refusalOf(response), 'the node refused')
    entry.accepted()
    return response
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  #exchange({ token, tls }: SlideEntry, { method, path, headers, body, onTaken, silence, mostBytes = MAX_ANSWER_BYTES }: SlideRequest, signal: AbortSignal): Promise<SlideResponse> {
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => reject(signal.aborted ? (signal.reason as Error) : cause instanceof RelayFault ? cause : new RelayFault('unavailable', 'the node cannot be reached', { cause }))
      const request = (this.#isSecure ? httpsRequest : httpRequest)(new URL(path, this.#origin.origin), {
        ...tls,
        method,
        agent: this.#agent,
        signal,
        timeout: silence,
        headers: { ...headers, authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-length': body.length }) },
      })
      request.on('timeout', () => request.destroy(new RelayFault('timeout', 'the node fell silent')))
      request.on('error', fail)
      request.on('response', response => {
        bodyOf(response, mostBytes, 'unavailable').then(answer => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: answer }), (error: unknown) => {
          request.destroy()
          fail(error)
        })
      })
      if (body === undefined || onTaken === undefined) request.end(body)
      else writePieces(request, body, onTaken)
    })
  }
}

/** Goes on after an early answer: a connection is only kept when its request was whole. Ends when the request fails. */
function writePieces(request: ClientRequest, body: Buffer, onTaken: (length: number) => void): void {
  const write = (from: number): void => {
    const piece = body.subarray(from, from + PIECE_BYTES)
    const isLast = from + piece.length >= body.length
    request.write(piece, error => {
      if (error) return
      onTaken(piece.length)
      if (!isLast) write(from + piece.length)
    })
    if (isLast) request.end()
  }
  write(0)
}

/** What a node refuses with has a code; what a proxy refuses with has none. */
function refusalOf({ status, body }: SlideResponse): FaultCode {
  try {
    return Refusal.parse(JSON.parse(body.toString('utf8'))).code
  } catch {
    // Not a node's word: the status has to do.
    return status === 408 || status === 504 ? 'timeout' : status === 429 || status >= 500 ? 'unavailable' : status === 404 ? 'not_found' : status === 401 || status === 403 ? 'grant_refused' : 'bad_message'
  }
}
