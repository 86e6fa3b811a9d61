import { ConsumerId, ProducerId } from '../relay/wire/ids.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { bitsPerSecond } from '../relay/wire/units.ts'
import type { RenditionId } from '../relay/wire/ids.ts'
import type { Flow, ReplyData, RequestOf } from '../relay/wire/signaling.ts'
import type { RtpCapabilities as WireRtpCapabilities } from '../relay/wire/webrtc.ts'
import type { FlowViewer } from './flow/flow-control.ts'
import type { PublishedMedia } from './published-media.ts'
import type { Consumer, DtlsParameters, Router, RtpCapabilities, WebRtcTransport } from 'mediasoup/types'

/** One viewer's receiving transport and its consumers of one publication. */
export class ViewerMedia implements FlowViewer {
  readonly transport: WebRtcTransport
  readonly #router: Router
  readonly #onFlow: (flow: Flow) => void
  #published: PublishedMedia | undefined
  #consumers: ReadonlyMap<RenditionId, Consumer> = new Map()
  #isConnected = false

  constructor(router: Router, transport: WebRtcTransport, onFlow: (flow: Flow) => void) {
    this.#router = router
    this.transport = transport
    this.#onFlow = onFlow
    transport.observer.once('close', () => this.#published?.flow.leave(this))
    transport.on('trace', trace => {
      if (trace.type === 'bwe') this.#readEstimate(trace.info)
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
  describe(): ReplyData<'createTransport'> {
    const { id, iceParameters, iceCandidates, dtlsParameters } = this.transport
    return { transportId: id, routerRtpCapabilities: this.#router.rtpCapabilities, iceParameters, iceCandidates, dtlsParameters } as ReplyData<'createTransport'>
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

  #readEstimate(info: unknown): void {
    const available = (info as { readonly availableBitrate?: unknown }).availableBitrate
    if (typeof available === 'number' && available > 0) this.#published?.flow.downlinkEstimated(this, bitsPerSecond(available))
  }
}
