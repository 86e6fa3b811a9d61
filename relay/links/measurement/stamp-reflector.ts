import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { RelayFault } from '../../wire/fault.ts'
import { millis } from '../../wire/units.ts'
import { decodeSenderPacket, encodeReflectedPacket } from './stamp-packet.ts'
import { StampSessionTable } from './stamp-session-table.ts'
import { stampClock } from './stamp-clock.ts'
import type { RemoteInfo, Socket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import type { KeyObject } from 'node:crypto'
import type { StampClock } from './stamp-clock.ts'
import type { ClockQuality, StampDefect } from './stamp-packet.ts'
import type { AdmissionRefusal, StampSessionLimits } from './stamp-session-table.ts'

/** Node does not tell the TTL or Hop Limit of what arrives. No packet arrives with 0, so 0 says "not known". */
const UNKNOWN_TTL = 0
/** Replies that the kernel has not taken yet; more of them are dropped. */
const MAX_QUEUED_BYTES = 256 * 1024

/** How a {@link StampReflector} behaves. */
export interface StampReflectorOptions {
  /** Where it listens; 0 is any free port. */
  readonly port: number
  /** 0.0.0.0 without it. */
  readonly address?: string | undefined
  /** Authenticated mode; what bears no good HMAC is not answered. */
  readonly key?: KeyObject | undefined
  /** Counts per session, so that senders can tell loss by direction. */
  readonly isStateful: boolean
  /** Without them: 1000 packets/s of a source, 10,000 in all, 256 sources. */
  readonly limits?: StampSessionLimits | undefined
  /** What replies say of this end's clock. 1 ms and not synchronised without it. */
  readonly clockQuality?: ClockQuality | undefined
  readonly clock?: StampClock | undefined
}

/** Totals of a reflector. All of them only grow. */
export interface StampReflectorTotals {
  readonly received: number
  readonly reflected: number
  /** Replies that the system would not send. */
  readonly unsent: number
  readonly refused: Readonly<Record<StampDefect | AdmissionRefusal, number>>
}

/**
 * A Session-Reflector on one UDP socket. A reply is exactly as long as its request and goes out at once or not at
 * all, so it amplifies nothing and holds nothing.
 *
 * @see RFC 8762 section 4.3
 */
export class StampReflector implements AsyncDisposable {
  readonly #socket: Socket
  readonly #options: StampReflectorOptions
  readonly #clock: StampClock
  readonly #clockQuality: ClockQuality
  readonly #table: StampSessionTable
  readonly #refused: Record<StampDefect | AdmissionRefusal, number> = { truncated: 0, oversize: 0, forged: 0, corrupt: 0, rate_limited: 0, overloaded: 0, unsafe_port: 0 }
  #received = 0
  #reflected = 0
  #unsent = 0
  #closing: Promise<void> | undefined

  private constructor(socket: Socket, options: StampReflectorOptions) {
    this.#socket = socket
    this.#options = options
    this.#clock = options.clock ?? stampClock
    this.#clockQuality = options.clockQuality ?? { isSynchronized: false, error: millis(1) }
    this.#table = new StampSessionTable(options.limits ?? { sourcePacketsPerSecond: 1000, totalPacketsPerSecond: 10_000, maxSources: 256 }, socket.address().port)
    socket.on('message', (datagram, from) => this.#reflect(datagram, from))
    // A sender that is gone may make the kernel complain; that concerns nobody else.
    socket.on('error', () => this.#unsent++)
  }

  /** @throws {RelayFault} `address_in_use` when it cannot listen there. */
  static async open(options: StampReflectorOptions): Promise<StampReflector> {
    const address = options.address ?? '0.0.0.0'
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4' })
    try {
      socket.bind(options.port, address)
      await once(socket, 'listening')
    } catch (cause) {
      socket.close()
      throw new RelayFault('address_in_use', `no STAMP reflector can listen on port ${options.port}`, { cause })
    }
    socket.setTTL(255)
    return new StampReflector(socket, options)
  }

  get address(): AddressInfo {
    return this.#socket.address()
  }

  get totals(): StampReflectorTotals {
    return { received: this.#received, reflected: this.#reflected, unsent: this.#unsent, refused: { ...this.#refused } }
  }

  /** Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= new Promise(resolve => this.#socket.close(() => resolve())))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #reflect(datagram: Uint8Array, from: RemoteInfo): void {
    const receivedAt = this.#clock()
    this.#received++
    const { key, isStateful } = this.#options
    // Authenticity comes first: forged packets must not use up what their alleged source may ask for.
    const request = decodeSenderPacket(datagram, key)
    if (typeof request === 'string') {
      this.#refused[request]++
      return
    }
    const number = this.#socket.getSendQueueSize() > MAX_QUEUED_BYTES ? 'overloaded' : this.#table.admit(from.address, from.port, receivedAt)
    if (typeof number === 'string') {
      this.#refused[number]++
      return
    }
    const reply = encodeReflectedPacket(
      datagram,
      { sequenceNumber: isStateful ? number : undefined, receivedAt, sentAt: this.#clock(), errorEstimate: this.#clockQuality, ttl: UNKNOWN_TTL },
      key,
    )
    this.#socket.send(reply, from.port, from.address, error => {
      if (error === null) this.#reflected++
      else this.#unsent++
    })
  }
}
