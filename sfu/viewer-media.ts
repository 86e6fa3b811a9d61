import { ConsumerId, ProducerId } from '../relay/wire/ids.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import type { RenditionId } from '../relay/wire/ids.ts'
import type { ReplyData } from '../relay/wire/signaling.ts'
import type { RtpCapabilities as WireRtpCapabilities } from '../relay/wire/webrtc.ts'
import type { PublishedMedia } from './published-media.ts'
import type { Consumer, DtlsParameters, Router, RtpCapabilities, WebRtcTransport } from 'mediasoup/types'

/** One viewer's receiving transport and its consumers of one publication. */
export class ViewerMedia {
  readonly transport: WebRtcTransport
  readonly #router: Router
  #published: PublishedMedia | undefined
  #consumers: ReadonlyMap<RenditionId, Consumer> = new Map()
  #isConnected = false

  constructor(router: Router, transport: WebRtcTransport) {
    this.#router = router
    this.transport = transport
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
   * Lets exactly these renditions flow.
   *
   * @throws {RelayFault} `not_found` when one of them was not offered; then nothing changes.
   */
  async watch(renditions: readonly RenditionId[]): Promise<void> {
    const wanted = new Set(renditions)
    for (const renditionId of wanted) {
      if (!this.#consumers.has(renditionId)) throw new RelayFault('not_found', `${renditionId} is not offered to this viewer`)
    }
    const changed = [...this.#consumers].filter(([renditionId, consumer]) => wanted.has(renditionId) === consumer.paused)
    await Promise.all(changed.map(([, consumer]) => (consumer.paused ? consumer.resume() : consumer.pause())))
  }

  /** Idempotent. */
  close(): void {
    this.transport.close()
  }
}
