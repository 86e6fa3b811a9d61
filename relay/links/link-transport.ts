import { performance } from 'node:perf_hooks'
import { bitsPerSecond, bytes, millis } from '../wire/units.ts'
import { IP_UDP_BYTES } from './carrier/datagram.ts'
import { ReplayWindow } from './carrier/replay-window.ts'
import { Opener, Sealer } from './carrier/sealing.ts'
import { LinkEndpoint } from './link-endpoint.ts'
import { PathRate } from './paths/path-rate.ts'
import { UNLIMITED_RATE } from './paths/unlimited-rate.ts'
import type { LinkContract, TrafficClass } from '../wire/link.ts'
import type { Millis } from '../wire/units.ts'
import type { Clock } from '../runtime/clock.ts'
import type { DatagramHeader } from './carrier/datagram.ts'
import type { LinkRole, SealedDatagram } from './carrier/sealing.ts'
import type { LinkSnapshot, Refusal } from './measurement/link-snapshot.ts'

/** What both ends were told over the authenticated signaling connection. */
export interface LinkAssociation {
  /** Which link of the responder's port. */
  readonly association: number
  /** 32 bytes that nobody else knows. */
  readonly secret: Buffer
  readonly contract: LinkContract
}

/** What a {@link LinkTransport} tells whoever uses the link. */
export interface LinkListener {
  /** A packet of a flow arrived, in the order of its flow. */
  onLive?(flow: number, payload: Buffer): void
  onMessage?(id: TrafficClass, body: Buffer): void
  /** A message of ours arrived at the far end. */
  onArrived?(id: TrafficClass, ticket: number): void
  /** The far end said goodbye. */
  onClosed?(): void
}

/** How a {@link LinkTransport} reaches the network. */
export type SendDatagram = (path: number, datagram: SealedDatagram) => void

/** What is taken of a path of which nothing is known. Live video begins at once and finds out more. */
const UNKNOWN_RATE = bitsPerSecond(150e6)
/** A late timer moves the schedule no more often than this. */
const EARLIER = 0.5

/** A link end with its keys and its time: {@link LinkEndpoint} between an application and sealed datagrams. */
export class LinkTransport {
  /** Which link of the responder's port. The secret is not kept: only keys made from it. */
  readonly association: number
  readonly endpoint: LinkEndpoint
  readonly #clock: Clock
  readonly #sealer: Sealer
  readonly #opener: Opener
  readonly #windows: readonly ReplayWindow[]
  readonly #send: SendDatagram
  #listener: LinkListener = {}
  #timer: NodeJS.Timeout | undefined
  #wakeAt: number = Infinity
  #epochs = 0
  #isClosed = false

  /** @param isLoopback - The far end is on this machine: its line is memory, and not measured unless a rate is stated. */
  constructor({ association, secret, contract }: LinkAssociation, role: LinkRole, clock: Clock, send: SendDatagram, isLoopback = false) {
    this.association = association
    this.#clock = clock
    this.#send = send
    this.#sealer = new Sealer(secret, role)
    this.#opener = new Opener(secret, role === 'initiator' ? 'responder' : 'initiator')
    this.#windows = contract.paths.map(() => new ReplayWindow())
    this.endpoint = new LinkEndpoint(
      {
        contract, role,
        epochOrigin: performance.timeOrigin + performance.now() - clock.now(),
        createRate: known => (isLoopback && known === undefined ? UNLIMITED_RATE : new PathRate({ initial: known ?? UNKNOWN_RATE, isKnown: known !== undefined })),
        output: {
          transmit: (path, packetNumber, plaintext) => this.#transmit(path, packetNumber, plaintext),
          live: (flow, payload) => this.#listener.onLive?.(flow, payload),
          message: (id, body) => this.#listener.onMessage?.(id, body),
          arrived: (id, ticket) => this.#listener.onArrived?.(id, ticket),
          closed: () => this.#listener.onClosed?.(),
        },
      },
      clock.now(),
    )
    this.#schedule(clock.now())
  }

  /** Who hears of what arrives; a later one replaces it. */
  listen(listener: LinkListener): void {
    this.#listener = listener
  }

  /** Sends one packet of a flow. */
  sendLive(flow: number, payload: Buffer): void {
    if (this.#isClosed) return
    const now = this.#clock.now()
    this.endpoint.sendLive(flow, payload, now)
    if (this.endpoint.live.out.queue.isEmpty) return
    this.#schedule(millis(now + 1))
  }

  /** Sends a message. @returns As {@link LinkEndpoint.sendMessage}. */
  sendMessage(id: Exclude<TrafficClass, 'live'>, body: Buffer, isUrgent = false): number | undefined {
    if (this.#isClosed) return undefined
    const now = this.#clock.now()
    const ticket = this.endpoint.sendMessage(id, body, now, isUrgent)
    this.#schedule(now)
    return ticket
  }

  /**
   * Takes a datagram whose header names this association. A network that repeats datagrams and an attacker who does
   * look the same: an authentic copy is refused as replayed, and counted as a duplicate of its path.
   *
   * @returns Why it was refused; undefined when it was authentic and new.
   */
  take(datagram: Buffer, header: DatagramHeader): Refusal | undefined {
    const window = this.#windows[header.path]
    if (this.#isClosed || window === undefined) return 'malformed'
    const { path, packetNumber } = header
    const verdict = window.judge(packetNumber)
    if (verdict === 'stale') return verdict
    const plaintext = this.#opener.open(datagram, header)
    if (plaintext === undefined) return 'forged'
    const size = bytes(datagram.length + IP_UDP_BYTES)
    const now = this.#clock.now()
    if (verdict === 'replayed') {
      this.endpoint.repeated(path, packetNumber, size, now)
      return verdict
    }
    window.commit(packetNumber)
    this.#noteEpochs()
    this.endpoint.receive(path, packetNumber, plaintext, size, now)
    if (this.endpoint.live.in.tracker.missingCount > 0) this.#schedule(millis(now + 1))
    return undefined
  }

  /** Everything known of the link. */
  snapshot(): LinkSnapshot {
    return this.endpoint.snapshot(this.#clock.now())
  }

  /** Changes the key of what is sent, for tests and for whoever has a reason. */
  rekey(): void {
    this.#sealer.rekey(this.#clock.now())
  }

  /** Says goodbye and stops. Idempotent. */
  close(): void {
    if (this.#isClosed) return
    this.endpoint.close(this.#clock.now())
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #transmit(path: number, packetNumber: number, plaintext: Buffer): void {
    this.#send(path, this.#sealer.seal(this.association, path, packetNumber, plaintext, this.#clock.now()))
  }

  #noteEpochs(): void {
    const epochs = this.#sealer.epoch + this.#opener.epoch
    if (epochs === this.#epochs) return
    this.#epochs = epochs
    this.endpoint.note('rekeyed', undefined, { sendingEpoch: this.#sealer.epoch, receivingEpoch: this.#opener.epoch })
  }

  #schedule(at: Millis): void {
    if (this.#isClosed || at > this.#wakeAt - EARLIER) return
    clearTimeout(this.#timer)
    this.#wakeAt = at
    this.#timer = setTimeout(() => this.#step(), Math.max(0, at - this.#clock.now()))
  }

  #step(): void {
    this.#wakeAt = Infinity
    this.#schedule(this.endpoint.step(this.#clock.now()))
  }
}
