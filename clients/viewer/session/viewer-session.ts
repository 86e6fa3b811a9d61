import { RelayFault, toFault } from '../../../relay/wire/fault.ts'
import { SignalingClient } from '../../../relay/wire/signaling-client.ts'
import type { RequestParameters, SignalingSocket } from '../../../relay/wire/signaling-client.ts'
import { PROTOCOL_VERSION } from '../../../relay/wire/signaling.ts'
import type { Entry } from '../access/grant-session.ts'
import type { Flow, Notification, Publication, ReplyData, RequestType, SourceStatus } from '../../../relay/wire/signaling.ts'
import type { StageState } from '../../../relay/wire/stage.ts'
import { millis, rtpTimestamp } from '../../../relay/wire/units.ts'
import type { RtpTimestamp } from '../../../relay/wire/units.ts'
import type { ToldFlow } from '../view/expectation.ts'
import { NO_DEMAND } from '../view/tile-demand.ts'
import type { Demand } from '../view/tile-demand.ts'
import type { PublicationParameters } from './connection-part.ts'
import type { ClockExchange } from './node-clock.ts'
import { epochNow } from './page-clock.ts'
import { Reception } from './reception.ts'
import { WatchQueue } from './watch-queue.ts'

/** Who a viewer is in its consultation. */
export type Joined = Pick<ReplyData<'join'>, 'sessionId' | 'memberId' | 'role' | 'colour' | 'actions'>

/** What a viewer hears of its session. */
export interface SessionListener {
  joined(as: Joined): void
  /** The microscope's publication changed; null while there is none. All earlier tracks are over. */
  publicationChanged(publication: Publication | null): void
  sourceChanged(source: SourceStatus): void
  /** The stage moved, or is about to. */
  stageChanged(state: StageState): void
  /** What flows now of what was asked for. */
  flowChanged(flow: ToldFlow): void
  /** The node said what concerns a part of the viewer. */
  heard(notification: Notification): void
  /** The node said when an image was captured, in milliseconds since the epoch on its clock. */
  captured(rtpTimestamp: RtpTimestamp, capturedAtMillis: number): void
  /** The node answered what its clock says. */
  clockRead(exchange: ClockExchange): void
  /** Its tracks are there; frames come on those that are watched. */
  receiving(reception: Reception): void
  /** Something failed that is tried again. */
  faulted(fault: RelayFault): void
}

/** What is known of the viewer's line beforehand. */
export interface LineClaim {
  /** What it carries; without it the node finds out. */
  readonly downlinkBitsPerSecond?: number
  /** `relay`: media goes over a relay or not at all. Without it, by the best way that there is. */
  readonly iceTransportPolicy?: RTCIceTransportPolicy
}

/** What a {@link ViewerSession} stands on. */
export interface SessionOptions {
  readonly listener: SessionListener
  readonly line: LineClaim
  /** Whether a request may be sent. */
  readonly may: (type: RequestType) => boolean
}

/** Between attempts to receive a publication. */
const RECEIVE_RETRY_MS = 500

/** The node's clock is read so often at the beginning, with such pauses… */
const CLOCK_READINGS_AT_ONCE = 6
const CLOCK_PAUSE_MS = 100
/** …and again after each of these. */
const CLOCK_INTERVAL_MS = 30_000

/** One viewer's stay, on one signaling socket: follows the microscope's publications and what is watched. */
export class ViewerSession {
  readonly #client: SignalingClient
  readonly #listener: SessionListener
  /** As it was announced. */
  #publication: Publication | null = null
  /** The same with the latest of its source and its stage. */
  #latest: Publication | null = null
  #reception: Reception | undefined
  #queue = new WatchQueue()
  #wanted = NO_DEMAND
  /** What the node last answered for. */
  #asked = NO_DEMAND
  readonly #line: LineClaim
  readonly #may: (type: RequestType) => boolean
  #isClosed = false

  private constructor(socket: SignalingSocket, { listener, line, may }: SessionOptions) {
    this.#listener = listener
    this.#line = line
    this.#may = may
    this.#client = new SignalingClient(socket, { onNotification: notification => this.#notified(notification) })
    void this.#client.closed.then(() => (this.#isClosed = true))
  }

  /**
   * Joins on an open socket.
   *
   * @throws {RelayFault} The node's code; then the socket is closed.
   */
  static async join(socket: SignalingSocket, entry: Entry, options: SessionOptions): Promise<ViewerSession> {
    const session = new ViewerSession(socket, options)
    const { listener } = options
    try {
      const joined = await session.#client.request('join', { protocol: PROTOCOL_VERSION, ...entry })
      listener.joined(joined)
      session.#follow(joined.publication)
      void session.#keepReadingClock()
      return session
    } catch (error) {
      session.close()
      throw error
    }
  }

  /** Settles once, with the reason. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#client.closed
  }

  /** This shall flow, as far as it exists and can be decoded. */
  watch(demand: Demand): void {
    this.#wanted = demand
    this.#want()
  }

  /** @throws {RelayFault} The node's code; `policy_refused`, unsent, for what was not granted. */
  async ask<Type extends RequestType>(type: Type, parameters: RequestParameters<Type>): Promise<ReplyData<Type>> {
    if (!this.#may(type)) throw new RelayFault('policy_refused', 'this was not granted')
    return this.#client.request(type, parameters)
  }

  /** As {@link ask}, about the present publication. @throws {RelayFault} `unavailable` while there is none. */
  async askOfPublication<Type extends RequestType>(type: Type, parameters: PublicationParameters<Type>): Promise<ReplyData<Type>> {
    const publicationId = this.#publication?.publicationId
    if (publicationId === undefined) throw new RelayFault('unavailable', 'there is no microscope')
    const of: unknown = { ...parameters, publicationId }
    return this.ask(type, of as RequestParameters<Type>)
  }

  getStats(): Promise<RTCStatsReport> | undefined {
    return this.#reception?.getStats()
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true
    this.#client.close()
    this.#reception?.close()
    this.#reception = undefined
  }

  /** A few times at once, of which the quickest tells most; then seldom, because clocks drift. */
  async #keepReadingClock(): Promise<void> {
    for (let reading = 1; !this.#isClosed; reading++) {
      try {
        const sentAtMillis = epochNow()
        const { nodeTimeMillis } = await this.#client.request('readClock', {})
        this.#listener.clockRead({ sentAtMillis, nodeTimeMillis, receivedAtMillis: epochNow() })
      } catch (error) {
        this.#listener.faulted(toFault(error))
      }
      await this.#pause(reading < CLOCK_READINGS_AT_ONCE ? CLOCK_PAUSE_MS : CLOCK_INTERVAL_MS)
    }
  }

  /** Waits; returns early when the session ends. */
  async #pause(durationMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const elapsed = new Promise<void>(resolve => (timer = setTimeout(resolve, durationMs)))
    await Promise.race([elapsed, this.#client.closed])
    clearTimeout(timer)
  }

  #notified(notification: Notification): void {
    switch (notification.type) {
      case 'publicationChanged':
        this.#follow(notification.publication)
        break
      case 'sourceChanged':
        if (!this.#concerns(notification)) break
        this.#latest = this.#latest && { ...this.#latest, source: notification.source }
        this.#listener.sourceChanged(notification.source)
        break
      case 'stageChanged':
        if (!this.#concerns(notification)) break
        if (this.#latest?.stage) this.#latest = { ...this.#latest, stage: { ...this.#latest.stage, state: notification.state } }
        this.#listener.stageChanged(notification.state)
        break
      case 'captureClock':
        if (this.#concerns(notification)) this.#listener.captured(rtpTimestamp(notification.rtpTimestamp), notification.capturedAtMillis)
        break
      case 'flowChanged':
        if (this.#concerns(notification)) this.#flows(notification)
        break
      case 'refused':
        this.#listener.faulted(new RelayFault(notification.fault.code, notification.fault.message))
        break
      default:
        this.#listener.heard(notification)
    }
  }

  #concerns({ publicationId }: { readonly publicationId: Publication['publicationId'] }): boolean {
    return publicationId === this.#publication?.publicationId
  }

  #flows({ flowing, withheld }: Flow): void {
    this.#listener.flowChanged({ flowing, withheld, asked: this.#asked })
  }

  #follow(publication: Publication | null): void {
    this.#reception?.close()
    this.#reception = undefined
    this.#publication = publication
    this.#latest = publication
    this.#listener.publicationChanged(publication)
    if (publication !== null) void this.#receive(publication)
  }

  /** Opens a reception of the publication, as often as needed and as long as it is the current one. */
  async #receive(publication: Publication): Promise<void> {
    while (this.#isCurrent(publication)) {
      if (!this.#may('subscribe')) {
        // A grant may permit it when it is renewed.
        await this.#pause(RECEIVE_RETRY_MS)
        continue
      }
      try {
        const reception = await Reception.open(this.#client, publication, this.#line.iceTransportPolicy)
        if (!this.#isCurrent(publication)) {
          reception.close()
          return
        }
        this.#adopt(reception)
        this.#listener.faulted(await reception.lost)
        reception.close()
        if (this.#isCurrent(publication)) this.#listener.publicationChanged(this.#latest)
      } catch (error) {
        if (!this.#isCurrent(publication)) return
        this.#listener.faulted(toFault(error))
        await new Promise(resolve => setTimeout(resolve, RECEIVE_RETRY_MS))
      }
    }
  }

  #adopt(reception: Reception): void {
    this.#reception = reception
    this.#queue = new WatchQueue()
    this.#asked = NO_DEMAND
    this.#listener.receiving(reception)
    this.#want()
  }

  #isCurrent(publication: Publication): boolean {
    return !this.#isClosed && this.#publication === publication
  }

  #want(): void {
    const reception = this.#reception
    if (reception === undefined) return
    const { renditions, prefetch } = this.#wanted
    this.#queue.want({ renditions: renditions.filter(id => reception.has(id)), prefetch: prefetch.filter(id => reception.has(id)) })
    this.#tell(this.#queue, reception)
  }

  #tell(queue: WatchQueue, reception: Reception): void {
    if (queue !== this.#queue || this.#isClosed) return
    const { send: demand, wakeAt } = queue.step(millis(performance.now()))
    if (wakeAt !== undefined) setTimeout(() => this.#tell(queue, reception), wakeAt - performance.now() + 1)
    if (demand !== undefined) void this.#ask(demand, queue, reception)
  }

  async #ask(demand: Demand, queue: WatchQueue, reception: Reception): Promise<void> {
    const { publicationId } = reception.publication
    const { downlinkBitsPerSecond } = this.#line
    const answered = (isAccepted: boolean): void => {
      queue.answered(isAccepted, millis(performance.now()))
      this.#tell(queue, reception)
    }
    try {
      const parameters = { publicationId, renditions: [...demand.renditions], prefetch: [...demand.prefetch], ...(downlinkBitsPerSecond === undefined ? {} : { downlinkBitsPerSecond }) }
      const flow = await this.#client.request('watch', parameters)
      if (queue === this.#queue) {
        this.#asked = demand
        this.#flows(flow)
      }
      answered(true)
    } catch (error) {
      const fault = toFault(error)
      this.#listener.faulted(fault)
      // The publication is over, or the socket is: news of that comes by another way.
      if (fault.code !== 'wrong_state' && fault.code !== 'unavailable') answered(false)
    }
  }
}
