import { WebSocket } from 'ws'
import { RelayFault } from '../wire/fault.ts'
import { SIGNALING_LIMITS } from '../wire/signaling.ts'
import type { TlsMaterial } from './tls-files.ts'

const HANDSHAKE_TIMEOUT_MILLIS = 5000

/**
 * Opens the WebSocket that signaling runs on. The caller closes it.
 *
 * @param tls - What is trusted and shown, where the url is `wss:`.
 * @throws {RelayFault} `unavailable` when the node cannot be reached; the signal's reason.
 */
export async function openSignalingSocket(url: string, signal: AbortSignal, tls: TlsMaterial = {}): Promise<WebSocket> {
  signal.throwIfAborted()
  const socket = new WebSocket(url, { ...tls, minVersion: 'TLSv1.3', handshakeTimeout: HANDSHAKE_TIMEOUT_MILLIS, maxPayload: SIGNALING_LIMITS.messageSizeBytes })
  const opened = Promise.withResolvers<WebSocket>()
  const stop = (): void => {
    opened.reject(signal.reason as Error)
    socket.terminate()
  }
  socket.once('open', () => opened.resolve(socket))
  // Stays for the life of the socket: an 'error' event that nobody hears would end the process.
  socket.on('error', cause => opened.reject(new RelayFault('unavailable', 'the node cannot be reached', { cause })))
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await opened.promise
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
