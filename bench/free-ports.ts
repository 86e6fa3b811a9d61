import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { RelayFault } from '../relay/wire/fault.ts'

const HOST = '127.0.0.1'
/** Below the range that the kernel hands out by itself. @see ip(7), `ip_local_port_range` */
const LOWEST_PORT = 20_000
const HIGHEST_PORT = 32_000
const ATTEMPTS = 50

async function isFree(port: number): Promise<boolean> {
  const tcp = createServer()
  const udp = createSocket('udp4')
  try {
    tcp.listen(port, HOST)
    await once(tcp, 'listening')
    udp.bind(port, HOST)
    await once(udp, 'listening')
    return true
  } catch {
    // Taken, by either protocol: that is the answer.
    return false
  } finally {
    tcp.close()
    udp.close()
  }
}

/**
 * Finds ports in a row that are free on loopback, for TCP and UDP. They are not held: somebody else may
 * take them before they are used, so the choice is random.
 *
 * @returns The first of them.
 * @throws {RelayFault} `address_in_use` when none are found.
 */
export async function findFreePorts(count: number, random: () => number = Math.random): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = LOWEST_PORT + Math.floor(random() * (HIGHEST_PORT - LOWEST_PORT - count))
    let free = 0
    while (free < count && (await isFree(first + free))) free++
    if (free === count) return first
  }
  throw new RelayFault('address_in_use', `no ${count} free ports in a row between ${LOWEST_PORT} and ${HIGHEST_PORT}`)
}
