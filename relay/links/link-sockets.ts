import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { setImmediate as nextImmediate } from 'node:timers/promises'
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

/** @param isShared - Whether other sockets of ours may take the same port. */
async function openSocket(address: string | undefined, port: number, isSix: boolean, isShared = false): Promise<Socket> {
  const socket = createSocket({ type: isSix ? 'udp6' : 'udp4', reusePort: isShared, recvBufferSize: SOCKET_BUFFER_BYTES, sendBufferSize: SOCKET_BUFFER_BYTES })
  try {
    socket.bind({ port, ...(address === undefined ? {} : { address }) })
    await once(socket, 'listening')
  } catch (cause) {
    socket.close()
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'EADDRNOTAVAIL'
    if (isMissing) throw new RelayFault('unavailable', 'no interface of this machine has that address', { cause })
    throw new RelayFault('address_in_use', `cannot take UDP port ${port} on ${address ?? 'any address'}`, { cause })
  }
  // Sends have no callback, which costs a third of them: what a send cannot do, silence tells. An unreachable peer shows as a refused send or an ICMP message; silence is what decides.
  socket.on('error', () => undefined)
  return socket
}

/** Where a far end is reached by one path. */
interface Peer {
  readonly address: string
  readonly port: number
  /** Connected to it, as soon as there is one. */
  socket: Socket | undefined
}

/**
 * The responder's side: one UDP port for all links of a node. Knows nothing of what flows on them.
 *
 * Every far end that has proved itself gets a socket on the same port that is connected to it. The kernel prefers
 * that for what comes from there: a flood from elsewhere fills the buffer of another socket.
 */
export class LinkPort implements AsyncDisposable {
  readonly address: string
  readonly port: number
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #links = new Map<number, PortedLink>()
  readonly #refused = noRefusals()
  #isClosed = false

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
    // Whoever would share a port is not told that another process has it: it is taken alone first.
    const alone = await openSocket(address, port, isIPv6(address))
    const free = alone.address().port
    await closeSocket(alone)
    return new LinkPort(await openSocket(address, free, isIPv6(address), true), clock)
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
    const link = new PortedLink(association, this.#clock, this.#socket, peer => this.#connect(peer))
    this.#links.set(association.association, link)
    return link.transport
  }

  /** Ends a link. Idempotent. */
  release({ association }: LinkTransport): void {
    const link = this.#links.get(association)
    this.#links.delete(association)
    link?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
    this.#isClosed = true
    await closeSocket(this.#socket)
  }

  /** @returns A socket on this port for one far end; undefined when there is none to be had, and the port's own does. */
  async #connect({ address, port }: Peer): Promise<Socket | undefined> {
    const socket = await openSocket(this.address, this.port, isIPv6(this.address), true).catch(() => undefined)
    if (socket === undefined) return undefined
    // Until it is connected anything may come by it.
    socket.on('message', (datagram, { address: from, port: fromPort }) => this.#receive(datagram, from, fromPort))
    const isConnected = await new Promise<boolean>(resolve => {
      socket.connect(port, address, (error?: Error) => resolve(error === undefined))
    })
    if (isConnected && !this.#isClosed) return socket
    await closeSocket(socket)
    return undefined
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
  readonly #connect: (peer: Peer) => Promise<Socket | undefined>
  #isClosed = false

  constructor(association: LinkAssociation, clock: Clock, socket: Socket, connect: (peer: Peer) => Promise<Socket | undefined>) {
    this.#connect = connect
    this.transport = new LinkTransport(association, 'responder', clock, (path, datagram) => {
      const peer = this.#peers[path]
      if (peer?.socket !== undefined) peer.socket.send(datagram as unknown as Buffer[])
      else if (peer !== undefined) socket.send(datagram as unknown as Buffer[], peer.port, peer.address)
    })
  }

  /** Idempotent. */
  close(): void {
    this.transport.close()
    this.#isClosed = true
    for (const peer of this.#peers.splice(0)) abandon(peer)
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
    void this.#move(path, { address, port, socket: undefined })
    if (peer === undefined) return undefined
    abandon(peer)
    this.transport.endpoint.note('path_rebound', path, {})
    return undefined
  }

  async #move(path: number, peer: Peer): Promise<void> {
    this.#peers[path] = peer
    peer.socket = await this.#connect(peer)
    // It may have moved on meanwhile.
    if (this.#isClosed || this.#peers[path] !== peer) abandon(peer)
  }
}

/** Closes the socket of a far end that is not there any more, once what was handed to it has left. */
function abandon(peer: Peer | undefined): void {
  const socket = peer?.socket
  if (peer === undefined || socket === undefined) return
  peer.socket = undefined
  setImmediate(() => socket.close())
}

async function closeSocket(socket: Socket): Promise<void> {
  const closed = once(socket, 'close')
  socket.close()
  await closed
}

/** Where the responder of a link listens, by default. */
export interface LinkTarget {
  readonly host: string
  readonly port: number
}

/** A socket that takes datagrams of its peer alone, and finds its route once. */
async function dial(localAddress: string | undefined, host: string, port: number): Promise<Socket> {
  const { address, family } = await lookup(host, { order: 'ipv4first' }).catch((cause: unknown) => {
    throw new RelayFault('unavailable', 'the name of its far end cannot be resolved', { cause })
  })
  const socket = await openSocket(localAddress, 0, family === 6)
  try {
    socket.connect(port, address)
    await once(socket, 'connect')
  } catch (cause) {
    socket.close()
    throw cause
  }
  return socket
}

/** The initiator's side: one socket per path, bound to the interface that the contract names. */
export class LinkDialer implements AsyncDisposable {
  readonly transport: LinkTransport
  readonly #sockets: readonly Socket[]
  readonly #refused = noRefusals()
  #closing: Promise<void> | undefined

  private constructor(association: LinkAssociation, clock: Clock, sockets: readonly Socket[], isLoopback: boolean) {
    this.#sockets = sockets
    this.transport = new LinkTransport(association, 'initiator', clock, (path, datagram) => sockets[path]?.send(datagram as unknown as Buffer[]), isLoopback)
    sockets.forEach((socket, index) => socket.on('message', datagram => this.#receive(datagram, index)))
  }

  /** @throws {RelayFault} `unavailable`, naming the path, when its far end cannot be resolved or reached, or its interface is not there. */
  static async open(association: LinkAssociation, target: LinkTarget, clock: Clock): Promise<LinkDialer> {
    await using scope = new AsyncDisposableStack()
    const sockets: Socket[] = []
    for (const { name, localAddress, remoteHost } of association.contract.paths) {
      const socket = await dial(localAddress, remoteHost ?? target.host, target.port).catch((cause: unknown) => {
        throw new RelayFault('unavailable', `path ${name}: ${cause instanceof RelayFault ? cause.message : 'there is no route to its far end'}`, { cause })
      })
      scope.defer(() => void socket.close())
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

  /** Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.transport.close()
    // What was handed to a socket leaves before it closes.
    await nextImmediate()
    await Promise.all(this.#sockets.map(closeSocket))
  }

  #receive(datagram: Buffer, path: number): void {
    const header = readHeader(datagram)
    const isMine = typeof header !== 'string' && header.association === this.transport.association && header.path === path
    const refusal = typeof header === 'string' ? header : isMine ? this.transport.take(datagram, header) : 'unknown_link'
    if (refusal !== undefined) this.#refused[refusal]++
  }
}
