import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { RelayFault } from '../wire/fault.ts'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Agent } from 'node:https'
import type { FaultCode } from '../wire/fault.ts'
import type { TlsMaterial } from './tls-files.ts'

/** One question to a node. */
export interface NodeQuestion {
  readonly method: 'GET' | 'POST'
  /** Scheme, host and port. */
  readonly origin: string
  readonly path: string
  readonly token?: string | undefined
  /** What is trusted, and shown. */
  readonly tls?: TlsMaterial | undefined
  /** Sent as JSON. */
  readonly body?: unknown
  /** A longer answer is refused, in bytes. */
  readonly mostBytes: number
  readonly withinMillis: number
  /** Without it the system's own, which keeps connections. */
  readonly agent?: Agent | false
}

/** What it says. */
export interface NodeAnswer {
  readonly status: number
  readonly body: Buffer
  /** Milliseconds since the epoch by the node's clock, in whole seconds; undefined where it does not say. */
  readonly dateMillis: number | undefined
}

/**
 * Asks a node once over HTTP(S), TLS 1.3.
 *
 * @throws {RelayFault} `unavailable`, `timeout`; `bad_message` for an answer that is too long.
 */
export async function askNode({ method, origin, path, token, tls = {}, body, mostBytes, withinMillis, agent }: NodeQuestion): Promise<NodeAnswer> {
  const url = new URL(path, origin)
  const payload = body === undefined ? undefined : JSON.stringify(body)
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
  }
  const signal = AbortSignal.timeout(withinMillis)
  const options = { method, headers, signal, ...(agent === undefined ? {} : { agent }) }
  const asking = url.protocol === 'https:' ? httpsRequest(url, { ...options, ...tls, minVersion: 'TLSv1.3' }) : httpRequest(url, options)
  const wasSeen = watchHandshake(asking)
  asking.end(payload)
  try {
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    const date = Date.parse(response.headers.date ?? '')
    return { status: response.statusCode ?? 0, body: await bodyOf(response, mostBytes), dateMillis: Number.isNaN(date) ? undefined : date }
  } catch (cause) {
    asking.destroy()
    if (cause instanceof RelayFault) throw cause
    if (signal.aborted) throw new RelayFault('timeout', 'the node does not answer', { cause })
    throw new RelayFault('unavailable', wasSeen() && tls.cert !== undefined ? 'the node hung up when it had seen the certificate, which may have run out or been revoked' : 'the node cannot be reached', { cause })
  }
}

/** A door for members closes, without a word, a connection whose certificate it does not accept. @returns Whether the handshake came to its end. */
function watchHandshake(asking: ClientRequest): () => boolean {
  let wasSeen = false
  asking.once('socket', socket => socket.once('secureConnect', () => (wasSeen = true)))
  return () => wasSeen
}

/** The whole body of an answer. @throws {RelayFault} `code` for one that is longer than may be. */
export async function bodyOf(response: IncomingMessage, mostBytes: number, code: FaultCode = 'bad_message'): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length
    if (length > mostBytes) throw new RelayFault(code, 'the node answers at too great length')
    parts.push(part)
  }
  return Buffer.concat(parts)
}
