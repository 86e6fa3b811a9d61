import { createServer, connect } from 'node:tls'
import { isIP } from 'node:net'
import { once } from 'node:events'
import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { MOST_LINE_BYTES } from './acceptance-messages.ts'
import type { Server, TLSSocket } from 'node:tls'
import type { Millis } from '../../relay/wire/units.ts'

const IDENTITY = 'kenkyo-acceptance'
/** Node sets pre-shared keys up for TLS 1.2; the cipher has forward secrecy. @see RFC 5489, RFC 7905 */
const TLS_OPTIONS = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-PSK-CHACHA20-POLY1305' } as const
const HANDSHAKE_TIMEOUT_MILLIS = 5000

/** A pre-shared key, as `kenkyo link stamp` has them: 16 to 64 bytes in hexadecimal. @throws {RelayFault} `bad_config` */
export function parseAcceptanceKey(text: string): Buffer {
  const result = z.string().regex(/^([0-9a-f]{2}){16,64}$/i).safeParse(text.trim())
  if (!result.success) throw new RelayFault('bad_config', 'the key file has to hold 16 to 64 bytes in hexadecimal: openssl rand -hex 32')
  return Buffer.from(result.data, 'hex')
}

/** Listens for measuring ends that have the key; others do not get past the handshake. @throws {RelayFault} `address_in_use` */
export async function listenForControl(key: Buffer, address: string, port: number, onSocket: (socket: TLSSocket) => void): Promise<Server> {
  const server = createServer({ ...TLS_OPTIONS, handshakeTimeout: HANDSHAKE_TIMEOUT_MILLIS, pskIdentityHint: IDENTITY, pskCallback: (_socket, identity) => (identity === IDENTITY ? key : null) }, onSocket)
  // Somebody without the key, or no TLS at all: nothing of theirs was heard.
  server.on('tlsClientError', () => undefined)
  server.maxConnections = 16
  try {
    server.listen(port, address)
    await once(server, 'listening')
  } catch (cause) {
    throw new RelayFault('address_in_use', `cannot listen on TCP port ${port}`, { cause })
  }
  return server
}

/** Connects to an answering end. @throws {RelayFault} `unavailable` when there is none, or the keys differ. */
export async function connectControl(key: Buffer, host: string, port: number, localAddress: string | undefined, signal: AbortSignal): Promise<TLSSocket> {
  signal.throwIfAborted()
  const socket = connect({
    ...TLS_OPTIONS, host, port, ...(localAddress === undefined ? {} : { localAddress }), ...(isIP(host) === 0 ? { servername: host } : {}),
    pskCallback: () => ({ psk: key, identity: IDENTITY }), checkServerIdentity: () => undefined,
  })
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.any([signal, AbortSignal.timeout(HANDSHAKE_TIMEOUT_MILLIS)]) })
  } catch (cause) {
    socket.destroy()
    signal.throwIfAborted()
    throw new RelayFault('unavailable', 'no answering end there, or it has another key: run "npm run bench -- accept --answer --key-file FILE" at the far end, and let TCP and UDP of its port through', { cause })
  }
  return socket
}

/** JSON documents, one per line, over a socket; what is none ends it. */
export class ControlChannel<Incoming> implements Disposable {
  readonly socket: TLSSocket
  readonly #schema: z.ZodType<Incoming>
  readonly #closed = Promise.withResolvers<RelayFault>()
  #text = ''

  constructor(socket: TLSSocket, schema: z.ZodType<Incoming>, onMessage: (message: Incoming) => void) {
    this.socket = socket
    this.#schema = schema
    socket.setEncoding('utf8')
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#closed.resolve(new RelayFault('unavailable', 'the far end is gone: the connection to it ended')))
    socket.on('data', (text: string) => this.#take(text, onMessage))
  }

  /** Settles when the connection has ended. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#closed.promise
  }

  say(message: object): void {
    if (!this.socket.destroyed) this.socket.write(`${JSON.stringify(message)}\n`)
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }

  #take(text: string, onMessage: (message: Incoming) => void): void {
    this.#text += text
    const lines = this.#text.split('\n')
    this.#text = lines.pop() ?? ''
    for (const line of lines) {
      const message = this.#parse(line)
      if (message === undefined) return
      onMessage(message)
    }
    if (this.#text.length > MOST_LINE_BYTES) this.#refuse()
  }

  #parse(line: string): Incoming | undefined {
    try {
      return this.#schema.parse(JSON.parse(line))
    } catch {
      // Not one of ours: whoever holds the key speaks another version.
      this.#refuse()
      return undefined
    }
  }

  #refuse(): void {
    this.#closed.resolve(new RelayFault('bad_message', 'the far end says what is no message of this version'))
    this.socket.destroy()
  }
}

/** Waits for something, but no longer. @throws {RelayFault} `timeout`; what `closed` settles with; the signal's reason. */
export async function within<Value>(promise: Promise<Value>, deadline: Millis, closed: Promise<RelayFault>, signal: AbortSignal): Promise<Value> {
  const stopped = Promise.withResolvers<never>()
  stopped.promise.catch(() => undefined)
  const onAbort = (): void => stopped.reject(signal.reason as Error)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => stopped.reject(new RelayFault('timeout', `the far end did not answer within ${(deadline / 1000).toFixed(0)} s`)), deadline)
  try {
    return await Promise.race([promise, stopped.promise, closed.then(fault => Promise.reject(fault))])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}
