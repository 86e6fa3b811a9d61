import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { systemClock } from '../../runtime/clock.ts'
import { RelayFault } from '../../wire/fault.ts'
import { millis } from '../../wire/units.ts'
import { readNtpTimestamp, writeNtpTimestamp } from './ntp-timestamp.ts'
import { decodeReflectedPacket, encodeSenderPacket, stampBaseSize } from './stamp-packet.ts'
import { stampClock } from './stamp-clock.ts'
import { StampSession } from './stamp-session.ts'
import type { Socket } from 'node:dgram'
import type { KeyObject } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import type { Bytes, Millis } from '../../wire/units.ts'
import type { StampClock } from './stamp-clock.ts'
import type { ClockQuality } from './stamp-packet.ts'
import type { ReflectorKind, StampSample } from './stamp-session.ts'
import type { StampSummary } from './stamp-summary.ts'

/** What a {@link StampSender} sends, where to, and how it reads the answers. */
export interface StampSenderOptions {
  readonly host: string
  readonly port: number
  /** Authenticated mode; a reply without a good HMAC is not counted. */
  readonly key?: KeyObject | undefined
  readonly localAddress?: string | undefined
  /** Packets in all, up to 100,000. */
  readonly count: number
  /** From one packet to the next, 1 ms at least. A late packet delays the rest: there are no bursts. */
  readonly interval: Millis
  /** UDP payload of each packet; the shortest of the mode without it. */
  readonly size?: Bytes | undefined
  /** How long to wait for answers after the last packet. */
  readonly replyTimeout: Millis
  readonly reflector: ReflectorKind
  /** Called with the stamps of each answered packet. */
  readonly onSample?: ((sample: StampSample) => void) | undefined
  /** What packets say of this end's clock. 1 ms and not synchronised without it. */
  readonly clockQuality?: ClockQuality | undefined
  readonly clock?: StampClock | undefined
  /** What it sleeps by. */
  readonly timer?: Clock | undefined
}

/**
 * A Session-Sender on one connected UDP socket: the kernel drops what comes from anywhere but the reflector.
 *
 * @see RFC 8762 section 4.2
 */
export class StampSender implements AsyncDisposable {
  readonly #socket: Socket
  readonly #options: StampSenderOptions
  readonly #clock: StampClock
  readonly #session: StampSession
  readonly #completed = Promise.withResolvers<undefined>()
  #closing: Promise<void> | undefined

  private constructor(socket: Socket, options: StampSenderOptions) {
    this.#socket = socket
    this.#options = options
    this.#clock = options.clock ?? stampClock
    this.#session = new StampSession({ capacity: options.count, reflector: options.reflector, replyTimeout: options.replyTimeout })
    socket.on('message', datagram => this.#receive(datagram))
    // ICMP says that nobody listens there. What is lost shows in the summary; the reflector may yet come up.
    socket.on('error', () => undefined)
  }

  /**
   * @throws {RelayFault} `unavailable` when the host cannot be resolved or reached from the local address,
   *   `bad_config` when a packet cannot have the size asked for.
   */
  static async open(options: StampSenderOptions): Promise<StampSender> {
    if (options.size !== undefined && options.size < stampBaseSize(options.key)) throw new RelayFault('bad_config', `a STAMP packet has ${stampBaseSize(options.key)} bytes at least in this mode`)
    let socket: Socket | undefined
    try {
      const { address, family } = await lookup(options.host)
      socket = createSocket(family === 6 ? 'udp6' : 'udp4')
      socket.bind(0, options.localAddress)
      await once(socket, 'listening')
      socket.setTTL(255)
      socket.connect(options.port, address)
      await once(socket, 'connect')
    } catch (cause) {
      socket?.close()
      throw new RelayFault('unavailable', 'no STAMP session with that host is possible from here', { cause })
    }
    return new StampSender(socket, options)
  }

  /**
   * Sends everything and waits for the answers. Settles early when all came, or with what is known when `signal`
   * aborts. To be called once.
   */
  async run(signal: AbortSignal): Promise<StampSummary> {
    const timer = this.#options.timer ?? systemClock
    const { count, interval, replyTimeout } = this.#options
    try {
      let due = timer.now()
      while (!signal.aborted) {
        this.#send()
        if (this.#session.sent === count) break
        due = millis(Math.max(due + Math.max(1, interval), timer.now()))
        await timer.sleep(millis(Math.max(0, due - timer.now())), signal)
      }
      await this.#waitForRest(timer, replyTimeout, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
    return this.#session.summarize(this.#clock())
  }

  /** Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= new Promise(resolve => this.#socket.close(() => resolve())))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #waitForRest(timer: Clock, replyTimeout: Millis, signal: AbortSignal): Promise<void> {
    const enough = new AbortController()
    // A timer may fire a fraction of a millisecond early.
    const sleep = timer.sleep(millis(replyTimeout + 1), AbortSignal.any([signal, enough.signal])).catch((error: unknown) => {
      if (!enough.signal.aborted) throw error
    })
    await Promise.race([this.#completed.promise, sleep])
    enough.abort()
  }

  #send(): void {
    const { key, size, clockQuality } = this.#options
    const timestamp = this.#clock()
    const sequenceNumber = this.#session.send(asOnTheWire(timestamp))
    const packet = { sequenceNumber, timestamp, errorEstimate: clockQuality ?? { isSynchronized: false, error: millis(1) } }
    // A send that fails (no route, a full queue) is a lost packet.
    this.#socket.send(encodeSenderPacket(packet, size ?? stampBaseSize(key), key), () => undefined)
  }

  #receive(datagram: Uint8Array): void {
    const receivedAt = this.#clock()
    const reply = decodeReflectedPacket(datagram, this.#options.key)
    if (typeof reply === 'string') {
      this.#session.refuse(reply)
      return
    }
    const sample = this.#session.receive(reply, receivedAt)
    if (typeof sample !== 'string') this.#options.onSample?.(sample)
    if (this.#session.isComplete) this.#completed.resolve(undefined)
  }
}

/** An instant as the far end reads it, so that its echo compares equal. */
function asOnTheWire(instant: Millis): Millis {
  const view = new DataView(new ArrayBuffer(8))
  writeNtpTimestamp(view, 0, instant)
  return readNtpTimestamp(view, 0)
}
