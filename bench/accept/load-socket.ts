import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { RelayFault } from '../../relay/wire/fault.ts'
import { parseSocketDrops } from '../lines/socket-drops.ts'
import type { Socket } from 'node:dgram'

/** A quarter of a second of 120 Mbit/s. */
const BUFFER_BYTES = 4 * 1024 * 1024

/** Opens a UDP socket for a load. @throws {RelayFault} `address_in_use` when it cannot have that address or port. */
export async function openLoadSocket(address: string | undefined, port: number, peer = address ?? '0.0.0.0'): Promise<Socket> {
  const socket = createSocket({ type: isIPv6(peer) ? 'udp6' : 'udp4', recvBufferSize: BUFFER_BYTES, sendBufferSize: BUFFER_BYTES })
  try {
    socket.bind({ port, ...(address === undefined ? {} : { address }) })
    await once(socket, 'listening')
  } catch (cause) {
    socket.close()
    throw new RelayFault('address_in_use', `cannot take UDP port ${port}`, { cause })
  }
  // ICMP says that nobody listens: the connection for control, which TCP watches, is what tells of that.
  socket.on('error', () => undefined)
  return socket
}

/** What the kernel dropped at a socket for want of room, ever. Zero where it does not say. */
export async function socketDrops(socket: Socket): Promise<number> {
  const { port, family } = socket.address()
  try {
    return parseSocketDrops(await readFile(family === 'IPv6' ? '/proc/net/udp6' : '/proc/net/udp', 'utf8')).get(port) ?? 0
  } catch {
    // No Linux.
    return 0
  }
}
