import { ConsumerId, ProducerId } from '../relay/wire/ids.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { bitsPerSecond, millis } from '../relay/wire/units.ts'
import type { GrantedMedia } from '../relay/wire/admission.ts'
import type { RenditionId } from '../relay/wire/ids.ts'
import type { Flow, ReplyData, RequestOf } from '../relay/wire/signaling.ts'
import type { RtpCapabilities as WireRtpCapabilities } from '../relay/wire/webrtc.ts'
import type { Millis } from '../relay/wire/units.ts'
import type { FlowViewer } from './flow/flow-control.ts'
import type { PublishedMedia } from './published-media.ts'
import type { Consumer, DtlsParameters, Router, RtpCapabilities, WebRtcTransport } from 'mediasoup/types'

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/
/** A line's round trip and loss are read from so many renditions; the pointer's tile and the overview are among the first. */
const SAMPLED_CONSUMERS = 6

/** What flows to one viewer, by whatever protocol it was brought about. */
export interface ReceivedMedia {
  readonly transport: WebRtcTransport
  /** Consumers by rendition, paused ones included. */
  readonly consumers: ReadonlyMap<RenditionId, Consumer>
  /** What it is of, if of anything. */
  readonly published: PublishedMedia | undefined
  /** Idempotent. */
  close(): void
}

/** One viewer's receiving transport and its consumers of one publication. */
export class ViewerMedia implements FlowViewer, ReceivedMedia {
  readonly transport: WebRtcTransport
  /** What its grant lets flow over a link; null: whatever there is. */
  readonly granted: GrantedMedia | null
  readonly #router: Router
  readonly #onFlow: (flow: Flow) => void
  #published: PublishedMedia | undefined
  #consumers: ReadonlyMap<RenditionId, Consumer> = new Map()
  #isConnected = false
  #isReading = false

  constructor(router: Router, transport: WebRtcTransport, onFlow: (flow: Flow) => void, granted: GrantedMedia | null = null) {
    this.granted = granted
    this.#router = router
    this.transport = transport
    this.#onFlow = onFlow
    transport.observer.once('close', () => this.#published?.flow.leave(this))
    transport.on('trace', trace => {
      if (trace.type === 'bwe') void this.#readEstimate(trace.info)
    })
  }

  /** Consumers by rendition, paused ones included. */
  get consumers(): ReadonlyMap<RenditionId, Consumer> {
    return this.#consumers
  }

  /** What it subscribed to, if anything. */
  get published(): PublishedMedia | undefined {
    return this.#published
  }

  /** The parameters a browser needs to build its half. */
  describe(): Omit<ReplyData<'createTransport'>, 'iceServers'> {
    const { id, iceParameters, iceCandidates, dtlsParameters } = this.transport
    return { transportId: id, routerRtpCapabilities: this.#router.rtpCapabilities, iceParameters, iceCandidates, dtlsParameters } as ReturnType<ViewerMedia['describe']>
  }

  /** @throws {RelayFault} `wrong_state` the second time. */
  async connect(dtlsParameters: DtlsParameters): Promise<void> {
    if (this.#isConnected) throw new RelayFault('wrong_state', 'the transport is connected already')
    this.#isConnected = true
    await this.transport.connect({ dtlsParameters })
  }

  /**
   * One paused consumer for each rendition, all created together.
   *
   * @throws {RelayFault} `wrong_state` the second time; `unsupported_media` when the capabilities make no sense.
   */
  async subscribe(published: PublishedMedia, wireCapabilities: WireRtpCapabilities): Promise<ReplyData<'subscribe'>> {
    if (this.#published !== undefined) throw new RelayFault('wrong_state', 'this transport has subscribed already')
    this.#published = published
    // Its shape was checked at the edge; whether it makes sense is checked by mediasoup below.
    const rtpCapabilities = wireCapabilities as RtpCapabilities
    const undecodable: RenditionId[] = []
    const consumers = new Map<RenditionId, Consumer>()
    const pending = [...published.producers].map(async ([renditionId, { id: producerId }]) => {
      if (!this.#router.canConsume({ producerId, rtpCapabilities })) undecodable.push(renditionId)
      else consumers.set(renditionId, await this.transport.consume({ producerId, rtpCapabilities, paused: true }))
    })
    try {
      await Promise.all(pending)
    } catch (cause) {
      throw new RelayFault('unsupported_media', 'these RTP capabilities cannot be served', { cause })
    }
    this.#consumers = consumers
    const offers = [...consumers].map(([renditionId, consumer]) => ({
      consumerId: ConsumerId.parse(consumer.id),
      producerId: ProducerId.parse(consumer.producerId),
      renditionId,
      rtpParameters: consumer.rtpParameters,
    }))
    return { consumers: offers, undecodable }
  }

  /**
   * A consumer of what carries no picture. Nothing of it is sent again: it is there to be counted.
   *
   * @throws {RelayFault} `unsupported_media` when the capabilities make no sense.
   */
  async consumeLoad(producerId: string, wireCapabilities: WireRtpCapabilities): Promise<ReplyData<'loadTransport'>> {
    const codecs = wireCapabilities.codecs.filter(({ mimeType }) => !mimeType.toLowerCase().endsWith('/rtx')).map(codec => ({ ...codec, rtcpFeedback: [] }))
    const rtpCapabilities = { ...wireCapabilities, codecs } as RtpCapabilities
    try {
      const { id, rtpParameters } = await this.transport.consume({ producerId, rtpCapabilities })
      return { consumerId: id, producerId, rtpParameters: rtpParameters }
    } catch (cause) {
      throw new RelayFault('unsupported_media', 'these RTP capabilities cannot be served', { cause })
    }
  }

  /**
   * Asks flow control for these renditions.
   *
   * @returns What flows, once it does.
   * @throws {RelayFault} `wrong_state` before {@link subscribe}; `not_found` when one of them was not offered; then nothing changes.
   */
  async watch({ renditions, prefetch, downlinkBitsPerSecond }: RequestOf<'watch'>): Promise<Flow> {
    if (this.#published === undefined) throw new RelayFault('wrong_state', 'subscribe first')
    for (const renditionId of [...renditions, ...prefetch]) {
      if (!this.#consumers.has(renditionId)) throw new RelayFault('not_found', `${renditionId} is not offered to this viewer`)
    }
    return this.#published.flow.want(this, { renditions, prefetch, downlinkBitsPerSecond })
  }

  flowChanged(flow: Flow): void {
    this.#onFlow(flow)
  }

  async apply(renditions: readonly RenditionId[]): Promise<void> {
    const wanted = new Set(renditions)
    const changed = [...this.#consumers].filter(([renditionId, consumer]) => wanted.has(renditionId) === consumer.paused)
    // A consumer that closes meanwhile takes its flow along.
    await Promise.allSettled(changed.map(([, consumer]) => (consumer.paused ? consumer.resume() : consumer.pause())))
  }

  /** Idempotent. */
  close(): void {
    this.#published?.flow.leave(this)
    this.transport.close()
  }

  /** A viewer on this machine has no line; its estimate would tell how busy the machine is. */
  #isLocal(): boolean {
    return LOOPBACK.test(this.transport.iceSelectedTuple?.remoteIp ?? '')
  }

  async #readEstimate(info: unknown): Promise<void> {
    const available = (info as { readonly availableBitrate?: unknown }).availableBitrate
    if (typeof available !== 'number' || available <= 0 || this.#isReading || this.#isLocal()) return
    this.#isReading = true
    try {
      const reports = await this.#receiverReports()
      this.#published?.flow.downlinkEstimated(this, { available: bitsPerSecond(available), ...reports })
    } finally {
      this.#isReading = false
    }
  }

  /** What the viewer's receiver reports say of the line, over some of the renditions that flow. */
  async #receiverReports(): Promise<{ readonly roundTrip: Millis | undefined; readonly lossRatio: number }> {
    const flowing = [...this.#consumers.values()].filter(consumer => !consumer.paused && !consumer.closed).slice(0, SAMPLED_CONSUMERS)
    const readings = await Promise.allSettled(flowing.map(consumer => consumer.getStats()))
    const stats = readings.flatMap(reading => (reading.status === 'fulfilled' ? reading.value : [])).filter(({ type }) => type === 'outbound-rtp')
    const roundTrips = stats.map(({ roundTripTime }) => roundTripTime ?? 0).filter(roundTrip => roundTrip > 0)
    const loss = stats.reduce((sum, { fractionLost }) => sum + fractionLost / 256, 0)
    return {
      roundTrip: roundTrips.length === 0 ? undefined : millis(Math.min(...roundTrips)),
      lossRatio: stats.length === 0 ? 0 : loss / stats.length,
    }
  }
}
