import { randomBytes } from 'node:crypto'
import { systemClock } from '../../relay/runtime/clock.ts'
import { StampReflector } from '../../relay/links/measurement/stamp-reflector.ts'
import { stampClock } from '../../relay/links/measurement/stamp-clock.ts'
import { stampKey } from '../../relay/links/measurement/stamp-packet.ts'
import { AcceptanceRequest } from './acceptance-messages.ts'
import { ControlChannel, listenForControl } from './control-channel.ts'
import { openLoadSocket, socketDrops } from './load-socket.ts'
import { sendLoad } from './load-sender.ts'
import { StepReception } from './step-reception.ts'
import { readDatagram, writeDatagram } from './test-datagram.ts'
import { LoadSchedule } from './traffic-shape.ts'
import type { RemoteInfo, Socket } from 'node:dgram'
import type { TLSSocket } from 'node:tls'
import type { AcceptanceAnswer } from './acceptance-messages.ts'
import type { RecordedShapes } from './traffic-shape.ts'

/** As many as one measuring end has paths. */
const MOST_SESSIONS = 2
/** Longer than the longest step: a measuring end that says nothing for so long is gone. */
const IDLE_MILLIS = 180_000
/** What the kernel has not taken yet; more is dropped, which shows as loss here and in the departure's lateness. */
const MOST_QUEUED_BYTES = 4 * 1024 * 1024

/** How an {@link AnsweringEnd} is opened. */
export interface AnsweringOptions {
  readonly key: Buffer
  readonly address: string
  /** Of TCP for control and of UDP for loads. */
  readonly port: number
  readonly shapes: RecordedShapes
}

interface Session {
  readonly token: bigint
  readonly channel: ControlChannel<AcceptanceRequest>
  readonly stop: AbortController
  reception: { readonly step: number; readonly book: StepReception; readonly dropsBefore: number } | undefined
  peer: { readonly address: string; readonly port: number } | undefined
}

/**
 * The far end of an acceptance: tells what came of a load, and sends one when asked. It sends only to where a session
 * with the key comes from, no more than its limits, and stops as soon as the session ends.
 */
export class AnsweringEnd implements AsyncDisposable {
  readonly #socket: Socket
  readonly #reflector: StampReflector
  readonly #stampKeyHex: string
  readonly #shapes: RecordedShapes
  readonly #sessions = new Map<bigint, Session>()
  #scope = new AsyncDisposableStack()

  private constructor(socket: Socket, reflector: StampReflector, stampKeyHex: string, shapes: RecordedShapes) {
    this.#socket = socket
    this.#reflector = reflector
    this.#stampKeyHex = stampKeyHex
    this.#shapes = shapes
    socket.on('message', (datagram, from) => this.#receive(datagram, from))
  }

  /** @throws {RelayFault} `address_in_use` */
  static async open({ key, address, port, shapes }: AnsweringOptions): Promise<AnsweringEnd> {
    await using scope = new AsyncDisposableStack()
    const socket = scope.adopt(await openLoadSocket(address, port), it => void it.close())
    const stampKeyHex = randomBytes(32).toString('hex')
    const reflector = scope.use(await StampReflector.open({ port: 0, address, key: stampKey(Buffer.from(stampKeyHex, 'hex')), isStateful: true }))
    const end = new AnsweringEnd(socket, reflector, stampKeyHex, shapes)
    const server = await listenForControl(key, address, socket.address().port, connection => end.#accept(connection))
    scope.defer(() => void server.close())
    scope.defer(() => end.#sessions.forEach(({ channel }) => channel[Symbol.dispose]()))
    end.#scope = scope.move()
    return end
  }

  /** Of TCP and UDP. */
  get port(): number {
    return this.#socket.address().port
  }

  get stampPort(): number {
    return this.#reflector.address.port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync()
  }

  #accept(connection: TLSSocket): void {
    connection.setTimeout(IDLE_MILLIS, () => connection.destroy())
    const session: Session = {
      token: randomBytes(8).readBigUInt64BE(), stop: new AbortController(), reception: undefined, peer: undefined,
      channel: new ControlChannel(connection, AcceptanceRequest, request => {
        this.#answer(session, request).then(
          answer => session.channel.say(answer),
          // Only its own end stops a session's load.
          () => undefined,
        )
      }),
    }
    void session.channel.closed.then(fault => {
      this.#sessions.delete(session.token)
      session.stop.abort(fault)
    })
  }

  async #answer(session: Session, request: AcceptanceRequest): Promise<AcceptanceAnswer> {
    const refused = (code: Extract<AcceptanceAnswer, { type: 'refused' }>['code']): AcceptanceAnswer => ({ type: 'refused', code })
    if (request.type === 'open') {
      if (this.#sessions.size >= MOST_SESSIONS) return refused('busy')
      this.#sessions.set(session.token, session)
      return { type: 'opened', token: session.token.toString(16).padStart(16, '0'), stampPort: this.#reflector.address.port, stampKeyHex: this.#stampKeyHex }
    }
    if (!this.#sessions.has(session.token)) return refused('bad_message')
    switch (request.type) {
      case 'receive':
        session.reception = { step: request.step, book: new StepReception(request.datagrams), dropsBefore: await socketDrops(this.#socket) }
        return { type: 'ready' }
      case 'tell': {
        const { reception } = session
        if (reception?.step !== request.step) return refused('bad_message')
        session.reception = undefined
        return { type: 'received', reception: reception.book.report(request.sent, (await socketDrops(this.#socket)) - reception.dropsBefore) }
      }
      case 'send': {
        const { peer, token } = session
        if (peer === undefined) return refused('no_path')
        const schedule = new LoadSchedule(this.#shapes, request.shape, request.bitsPerSecond)
        const send = (datagram: Buffer): void => {
          if (this.#socket.getSendQueueSize() < MOST_QUEUED_BYTES) this.#socket.send(datagram, peer.port, peer.address)
        }
        return { type: 'sent', departure: await sendLoad({ schedule, durationMillis: request.durationMillis, token, step: request.step, now: stampClock, clock: systemClock, send }, session.stop.signal) }
      }
      default:
        return request satisfies never
    }
  }

  #receive(datagram: Buffer, from: RemoteInfo): void {
    const at = stampClock()
    const read = readDatagram(datagram)
    const session = read === undefined ? undefined : this.#sessions.get(read.token)
    if (read === undefined || session === undefined) return
    if (read.kind === 'load') {
      if (session.reception?.step === read.step) session.reception.book.take(read.sequence, read.sentAt, datagram.length, at)
      return
    }
    // Loads go only to the host whose TCP handshake was completed.
    if (from.address !== plainAddress(session.channel.socket.remoteAddress)) return
    if (read.kind === 'hello') session.peer = { address: from.address, port: from.port }
    if (read.kind === 'echo') return
    writeDatagram(datagram, { ...read, kind: 'echo' })
    this.#socket.send(datagram, from.port, from.address)
  }
}

/** An IPv4 address as IPv4 writes it, also from a socket that does both. */
const plainAddress = (address: string | undefined): string | undefined => address?.replace(/^::ffff:(?=\d+\.)/, '')
