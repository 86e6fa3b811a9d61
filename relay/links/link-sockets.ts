import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { RelayFault } from '../wire/fault.ts'
import { readHeader } from './carrier/datagram.ts'
import { LinkTransport } from './link-transport.ts'
import { REFUSALS } from './measurement/link-snapshot.ts'
import type { Socket } from 'node:dgram'
import type { Clock } from '../runtime/clock.ts'
import type { LinkAssociation } from './link-transport.ts'
import type { Refusal } from './measurement/link-snapshot.ts'

const LOOPBACK = /^(127\.|::1$)/
/** Kernel buffers of a link's sockets: a quarter of a second of 100 Mbit/s. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024

/** Refused datagrams since a socket was opened, by cause. */
export type RefusalCounts = Readonly<Record<Refusal, number>>

const noRefusals = (): Record<Refusal, number> => Object.fromEntries(REFUSALS.map(cause => [cause, 0])) as Record<Refusal, number>

async function openSocket(address: string | undefined, port: number, isSix: boolean): Promise<Socket> {
  const socket = createSocket({ type: isSix ? 'udp6' : 'udp4', recvBufferSize: SOCKET_BUFFER_BYTES, sendBufferSize: SOCKET_BUFFER_BYTES })
  try {
    socket.bind({ port, ...(address === undefined ? {} : { address }) })
    await once(socket, 'listening')
  } catch (cause) {
    socket.close()
    throw new RelayFault('address_in_use', `cannot take UDP port ${port} on ${address ?? 'any address'}`, { cause })
  }
  // An unreachable peer shows as a refused send or an ICMP message; silence is what decides.
  socket.on('error', () => undefined)
  return socket
}

/** Where a far end is reached by one path. */
interface Peer {
  readonly address: string
  readonly port: number
}

/** The responder's side: one UDP port for all links of a node. Knows nothing of what flows on them. */
export class LinkPort implements AsyncDisposable {
  readonly address: string
  readonly port: number
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #links = new Map<number, PortedLink>()
  readonly #refused = noRefusals()

  private constructor(socket: Socket, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
    const { address, port } = socket.address()
    this.address = address
    this.port = port
    socket.on('message', (datagram, { address: from, port: fromPort }) => this.#receive(datagram, from, fromPort))
  }

  /** @throws {RelayFault} `address_in_use`. */
  static async open({ address, port, clock }: { readonly address: string; readonly port: number; readonly clock: Clock }): Promise<LinkPort> {
    return new LinkPort(await openSocket(address, port, isIPv6(address)), clock)
  }

  /** Datagrams that were refused so far. Those of links are included. */
  get refused(): RefusalCounts {
    return this.#refused
  }

  /** Whether an association number is taken. */
  has(association: number): boolean {
    return this.#links.has(association)
  }

  /** Takes a link in: from now on its datagrams are its. */
  accept(association: LinkAssociation): LinkTransport {
    if (this.has(association.association)) throw new Error('that association is taken')
    const link = new PortedLink(association, this.#clock, this.#socket)
    this.#links.set(association.association, link)
    return link.transport
  }

  /** Ends a link. Idempotent. */
  release({ association }: LinkTransport): void {
    const link = this.#links.get(association.association)
    this.#links.delete(association.association)
    link?.transport.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { transport } of this.#links.values()) transport.close()
    this.#links.clear()
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }

  #receive(datagram: Buffer, address: string, port: number): void {
    const header = readHeader(datagram)
    if (typeof header === 'string') {
      this.#refused[header]++
      return
    }
    const link = this.#links.get(header.association)
    const refusal = link === undefined ? 'unknown_link' : link.take(datagram, header, address, port)
    if (refusal !== undefined) this.#refused[refusal]++
  }
}

/** One link at a {@link LinkPort}, and where its far end is. */
class PortedLink {
  readonly transport: LinkTransport
  readonly #peers: (Peer | undefined)[] = []
  /** The highest packet number by path: an address is believed only of a newer datagram. */
  readonly #newest: number[] = []

  constructor(association: LinkAssociation, clock: Clock, socket: Socket) {
    this.transport = new LinkTransport(association, 'responder', clock, (path, datagram) => {
      const peer = this.#peers[path]
      if (peer !== undefined) socket.send(datagram as unknown as Buffer[], peer.port, peer.address, swallow)
    })
  }

  /** A far end behind a NAT may come from elsewhere at any time: the newest authentic datagram says where it is, as in WireGuard. */
  take(datagram: Buffer, header: ReturnType<typeof readHeader>, address: string, port: number): Refusal | undefined {
    if (typeof header === 'string') return header
    const { path, packetNumber } = header
    const refusal = this.transport.take(datagram, header)
    if (refusal !== undefined || packetNumber <= (this.#newest[path] ?? 0)) return refusal
    this.#newest[path] = packetNumber
    const peer = this.#peers[path]
    if (peer?.port === port && peer.address === address) return undefined
    this.#peers[path] = { address, port }
    if (peer !== undefined) this.transport.endpoint.note('path_rebound', path, {})
    return undefined
  }
}

const swallow = (): void => undefined

/** Where the responder of a link listens, by default. */
export interface LinkTarget {
  readonly host: string
  readonly port: number
}

/** The initiator's side: one socket per path, bound to the interface that the contract names. */
export class LinkDialer implements AsyncDisposable {
  readonly transport: LinkTransport
  readonly #sockets: readonly Socket[]
  readonly #refused = noRefusals()

  private constructor(association: LinkAssociation, clock: Clock, sockets: readonly Socket[], isLoopback: boolean) {
    this.#sockets = sockets
    this.transport = new LinkTransport(association, 'initiator', clock, (path, datagram) => sockets[path]?.send(datagram as unknown as Buffer[], swallow), isLoopback)
    sockets.forEach((socket, index) => socket.on('message', datagram => this.#receive(datagram, index)))
  }

  /** @throws {RelayFault} `unavailable` when a name cannot be resolved; `address_in_use` when an interface is not there. */
  static async open(association: LinkAssociation, target: LinkTarget, clock: Clock): Promise<LinkDialer> {
    await using scope = new AsyncDisposableStack()
    const sockets: Socket[] = []
    for (const { localAddress, remoteHost } of association.contract.paths) {
      const host = remoteHost ?? target.host
      const { address, family } = await lookup(host, { order: 'ipv4first' }).catch((cause: unknown) => {
        throw new RelayFault('unavailable', 'the address of a path cannot be resolved', { cause })
      })
      const socket = await openSocket(localAddress, 0, family === 6)
      scope.defer(() => void socket.close())
      // A connected socket takes datagrams of its peer alone, and finds its route once.
      socket.connect(target.port, address)
      await once(socket, 'connect')
      sockets.push(socket)
    }
    const isLoopback = sockets.every(socket => LOOPBACK.test(socket.remoteAddress().address))
    const dialer = new LinkDialer(association, clock, sockets, isLoopback)
    scope.move()
    return dialer
  }

  /** Datagrams that were refused so far. */
  get refused(): RefusalCounts {
    return this.#refused
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.transport.close()
    // What was handed to a socket leaves before it closes.
    await Promise.all(this.#sockets.map(async socket => {
      const closed = once(socket, 'close')
      setImmediate(() => socket.close())
      await closed
    }))
  }

  #receive(datagram: Buffer, path: number): void {
    const header = readHeader(datagram)
    const isMine = typeof header !== 'string' && header.association === this.transport.association.association && header.path === path
    const refusal = typeof header === 'string' ? header : isMine ? this.transport.take(datagram, header) : 'unknown_link'
    if (refusal !== undefined) this.#refused[refusal]++
  }
}
