import { TLSSocket } from 'node:tls'
import type { Server, Socket } from 'node:net'

/** The TCP connections below TLS ones, while they are open. */
const below = new Map<string, Socket>()

const keyOf = ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string => `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`

/** Lets {@link resetConnection} reach what is below the TLS connections of a server. To be called before it listens. */
export function watchConnections(server: Server): void {
  server.prependListener('connection', (socket: Socket) => {
    if (socket instanceof TLSSocket) return
    const key = keyOf(socket)
    below.set(key, socket)
    socket.once('close', () => {
      if (below.get(key) === socket) below.delete(key)
    })
  })
}

/**
 * Ends a connection so that nothing more arrives but what is on the line already. Merely closed, the kernel goes on to
 * send what it was handed: megabytes, which take seconds on a narrow line. A TLS connection of a server that is not
 * watched is only closed. Idempotent.
 *
 * @see RFC 9293 section 3.10.5: ABORT drops what is queued and sends a reset
 */
export function resetConnection(socket: Socket): void {
  const raw = socket instanceof TLSSocket ? below.get(keyOf(socket)) : socket
  if (raw !== undefined && !raw.destroyed) raw.resetAndDestroy()
  socket.destroy()
}
