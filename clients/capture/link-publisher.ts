import { randomInt } from 'node:crypto'
import { LinkDialer } from '../../relay/links/link-sockets.ts'
import { MediaDigests } from '../../relay/links/measurement/media-digests.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { OVERVIEW } from '../../relay/wire/ids.ts'
import { bitsPerSecond, millis } from '../../relay/wire/units.ts'
import { serializeRtpFlow } from './rtp-flow.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { DigestedWindow, LinkTrack, ReplyData } from '../../relay/wire/signaling.ts'
import type { Carrier, CarrierCounts, UplinkMeter } from './carrier.ts'
import type { PacedPacket } from './pacer.ts'
import type { RtpFlow } from './rtp-flow.ts'

/** A link that has not come up by then does not come up: a firewall drops its datagrams. */
const UP_TIMEOUT = millis(4000)
const POLL_INTERVAL = millis(10)
/** A link of which no path lived for so long is given up, so that another can be made. */
const LOST_AFTER = millis(5000)
const WATCH_INTERVAL = millis(250)
/** What guarantees of other classes, repair and housekeeping leave to live video. */
const LIVE_SHARE = 0.92
/** A pace beyond so many times the pyramid's rate is no limit of it. */
const PLENTY = 1.5

/** What {@link LinkPublisher} needs. */
export interface LinkPublisherOptions {
  readonly pyramid: Pyramid
  readonly reply: ReplyData<'openLink'>
  /** Of the signaling connection. */
  readonly host: string
  readonly isLoopback: boolean
  /** What the line is known to carry. */
  readonly isKnown: boolean
  readonly clock: Clock
}

/** A pyramid on a link: one flow of RTP packets per rendition. */
export class LinkPublisher implements Carrier {
  readonly kind = 'link'
  /** Which flow carries which rendition. */
  readonly tracks: readonly LinkTrack[]
  readonly uplink: UplinkMeter | undefined
  readonly #dialer: LinkDialer
  readonly #flows: ReadonlyMap<RenditionId, RtpFlow>
  readonly #closed = Promise.withResolvers<RelayFault>()
  readonly #timer: NodeJS.Timeout
  readonly #clock: Clock
  #onControl: (body: Buffer) => void = () => undefined
  readonly #digests = new MediaDigests()
  #packetsSent = 0
  #bytesSent = 0
  #livedAt: number

  private constructor({ pyramid, isLoopback, isKnown, clock }: LinkPublisherOptions, dialer: LinkDialer) {
    this.#dialer = dialer
    this.#clock = clock
    this.#livedAt = clock.now()
    const base = randomInt(1, 2 ** 31)
    const flows = pyramid.renditions.map(({ id, codec }, flow) => [id, { flow, codec, ssrc: base + flow, sequenceNumber: randomInt(0, 0x1_0000) }] as const)
    this.#flows = new Map(flows)
    this.tracks = flows.map(([renditionId, { flow, ssrc }]) => ({ flow, ssrc, renditionId }))
    this.uplink = isLoopback && !isKnown ? undefined : this.#measureUplink(pyramid, isKnown)
    dialer.transport.listen({
      onMessage: (id, body) => {
        if (id === 'control') this.#onControl(body)
      },
      onClosed: () => this.#closed.resolve(new RelayFault('unavailable', 'the node closed the link')),
    })
    this.#timer = setInterval(() => this.#watch(), WATCH_INTERVAL)
  }

  /**
   * Opens the link and waits until a path of it lives.
   *
   * @throws {RelayFault} `unavailable` when none does in time, or an interface is not there.
   */
  static async open(options: LinkPublisherOptions, signal: AbortSignal): Promise<LinkPublisher> {
    const { reply, host, clock } = options
    const { association, secret, contract, port } = reply
    await using scope = new AsyncDisposableStack()
    const dialer = scope.use(await LinkDialer.open({ association, secret: Buffer.from(secret, 'base64url'), contract }, { host: reply.host ?? host, port }, clock))
    const deadline = clock.now() + UP_TIMEOUT
    while (!dialer.transport.endpoint.isUp) {
      if (clock.now() > deadline) throw new RelayFault('unavailable', 'no path of the link came up in time')
      await clock.sleep(POLL_INTERVAL, signal)
    }
    scope.move()
    return new LinkPublisher(options, dialer)
  }

  get closed(): Promise<RelayFault> {
    return this.#closed.promise
  }

  get counts(): CarrierCounts {
    const { live } = this.#dialer.transport.endpoint
    return { packetsSent: this.#packetsSent, bytesSent: this.#bytesSent, packetsNacked: live.out.counts.retransmittedPackets, plis: 0, packetsDropped: live.droppedPackets }
  }

  send(packet: PacedPacket): void {
    const flow = this.#flows.get(packet.renditionId)
    if (flow === undefined) return
    const rtp = serializeRtpFlow(flow, packet)
    this.#packetsSent++
    this.#bytesSent += packet.payload.length
    this.#digests.take(packet.renditionId, rtp)
    this.#dialer.transport.sendLive(flow.flow, rtp)
  }

  /** Digests of what was sent, of minutes that have ended since the last call. */
  takeDigests(): DigestedWindow[] {
    return this.#digests.takeDone()
  }

  /** The overview, and what is under the pointer of somebody. */
  prioritise([first = OVERVIEW]: readonly RenditionId[]): void {
    const flows = [OVERVIEW, first].map(id => this.#flows.get(id)?.flow).filter(flow => flow !== undefined)
    this.#dialer.transport.endpoint.doubleFlows(new Set(flows))
  }

  /** What the node says by the link. One listener; a later one replaces it. */
  onControl(listener: (body: Buffer) => void): void {
    this.#onControl = listener
  }

  /** Says something to the node by the link. @returns false when it cannot be taken now. */
  sendControl(body: Buffer): boolean {
    const { transport } = this.#dialer
    return transport.endpoint.isUp && transport.sendMessage('control', body) !== undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#closed.resolve(new RelayFault('unavailable', 'closed by this side'))
    await this.#dialer[Symbol.asyncDispose]()
  }

  #watch(): void {
    const now = this.#clock.now()
    if (this.#dialer.transport.endpoint.isUp) this.#livedAt = now
    else if (now - this.#livedAt > LOST_AFTER) this.#closed.resolve(new RelayFault('unavailable', 'no path of the link lives'))
  }

  #measureUplink({ renditions }: Pyramid, isKnown: boolean): UplinkMeter {
    const { endpoint } = this.#dialer.transport
    const plenty = PLENTY * renditions.reduce((sum, rendition) => sum + rendition.bitsPerSecond, 0)
    const capacity = (): number => LIVE_SHARE * endpoint.capacityFor('live')
    return {
      step: () => bitsPerSecond(capacity()),
      get isLimited() {
        return isKnown || capacity() < plenty
      },
      get queueingDelay() {
        return millis(Math.max(0, ...endpoint.paths.map(({ out }) => out.queueingDelay)))
      },
    }
  }
}
