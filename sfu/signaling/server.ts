import { once } from 'node:events'
import { WebSocketServer } from 'ws'
import { RelayFault } from '../../relay/wire/fault.ts'
import { SIGNALING_LIMITS, SIGNALING_PATH } from '../../relay/wire/signaling.ts'
import { certificateThumbprint } from '../slides/slide-access.ts'
import { SignalingConnection } from './connection.ts'
import type { ConnectionHost } from './connection.ts'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/** Sockets that may be open at once; the next one is turned away with HTTP 503. */
const MAX_SOCKETS = 1024
/** How long a stopping node waits for clients to hang up. */
const CLOSE_PATIENCE_MILLIS = 1000

/** The signaling WebSocket of a node, on the HTTP server's own port. Owns every connection. */
export class SignalingServer {
  readonly #sockets: WebSocketServer
  readonly #connections = new Map<WebSocket, SignalingConnection>()
  readonly #heartbeat: NodeJS.Timeout
  readonly #host: ConnectionHost

  constructor(http: Server, host: ConnectionHost) {
    this.#host = host
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: SIGNALING_LIMITS.messageSizeBytes, perMessageDeflate: false })
    this.#heartbeat = setInterval(() => {
      for (const connection of this.#connections.values()) connection.beat()
    }, SIGNALING_LIMITS.heartbeatIntervalSeconds * 1000)
    http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  /** Tells every client that the node is stopping; one that does not hang up soon is cut off. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat)
    for (const connection of this.#connections.values()) connection.close(new RelayFault('unavailable', 'the node is stopping'))
    const deadline = AbortSignal.timeout(CLOSE_PATIENCE_MILLIS)
    const hungUp = [...this.#connections.keys()].map(webSocket => once(webSocket, 'close', { signal: deadline }))
    await Promise.allSettled(hungUp)
    for (const webSocket of this.#connections.keys()) webSocket.terminate()
    this.#sockets.close()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', err => this.#host.log.debug({ err }, 'upgrade socket error'))
    const refusal = this.#refusal(request)
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    this.#sockets.handleUpgrade(request, socket, head, webSocket => {
      this.#connections.set(webSocket, new SignalingConnection(webSocket, this.#host, { method: 'GET', path: SIGNALING_PATH, certificateThumbprint: certificateThumbprint(request.socket) }))
      webSocket.once('close', () => this.#connections.delete(webSocket))
    })
  }

  /** The status line for an upgrade that is not welcome. A browser's must come from our own pages. @see RFC 6455 section 10.2 */
  #refusal(request: IncomingMessage): string | undefined {
    if (!URL.canParse(request.url ?? '', 'http://node')) return '400 Bad Request'
    if (new URL(request.url ?? '', 'http://node').pathname !== SIGNALING_PATH) return '404 Not Found'
    const { origin, host } = request.headers
    if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) return '403 Forbidden'
    if (this.#connections.size >= MAX_SOCKETS) return '503 Service Unavailable'
    return undefined
  }
}
