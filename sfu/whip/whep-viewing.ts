import { RelayFault } from '../../relay/wire/fault.ts'
import { parametersOf, usableNumbering } from './client-numbering.ts'
import { writeForeignAnswer } from './foreign-answer.ts'
import type { GrantedMedia } from '../../relay/wire/admission.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { FlowViewer } from '../flow/flow-control.ts'
import type { MediaRoom } from '../media-room.ts'
import type { PublishedMedia } from '../published-media.ts'
import type { ReceivedMedia } from '../viewer-media.ts'
import type { ClientNumbering } from './client-numbering.ts'
import type { ForeignOffer } from './foreign-offer.ts'
import type { Consumer, RtpCapabilities, WebRtcTransport } from 'mediasoup/types'

/** What a WHEP client watches: one rendition of one publication. */
export class WhepViewing implements FlowViewer, ReceivedMedia {
  readonly transport: WebRtcTransport
  readonly consumers: ReadonlyMap<RenditionId, Consumer>
  readonly published: PublishedMedia
  readonly granted: GrantedMedia | null
  readonly #renditionId: RenditionId
  readonly #consumer: Consumer

  private constructor(transport: WebRtcTransport, renditionId: RenditionId, consumer: Consumer, published: PublishedMedia, granted: GrantedMedia | null) {
    this.granted = granted
    this.transport = transport
    this.#renditionId = renditionId
    this.#consumer = consumer
    this.consumers = new Map([[renditionId, consumer]])
    this.published = published
    transport.observer.once('close', () => published.flow.leave(this))
  }

  /**
   * Consumes a rendition under the payload types of the offer.
   *
   * @throws {RelayFault} `not_found` for a rendition that there is not; `unsupported_media`; `unavailable`.
   */
  static async open(room: MediaRoom, published: PublishedMedia, renditionId: RenditionId, offer: ForeignOffer, granted: GrantedMedia | null = null): Promise<WhepViewing> {
    const producer = published.producers.get(renditionId)
    if (producer === undefined) throw new RelayFault('not_found', 'there is no such rendition')
    const { codec, mid } = offer.video
    const numbering = usableNumbering(codec)
    const { transport, producerId } = await room.createNumberedTransport(numbering, producer.id)
    try {
      await transport.connect({ dtlsParameters: offer.dtlsParameters })
      const rtpCapabilities = capabilitiesOf(offer, numbering)
      const consumer = await transport.consume({ producerId, rtpCapabilities, paused: true, mid })
      return new WhepViewing(transport, renditionId, consumer, published, granted)
    } catch (cause) {
      if (transport.closed) throw new RelayFault('unavailable', 'the media transport closed', { cause })
      transport.close()
      throw new RelayFault('unsupported_media', 'the offer cannot be served', { cause })
    }
  }

  /** SDP text for the client. */
  answer(offer: ForeignOffer): string {
    const { rtpParameters } = this.#consumer
    const rtx = rtpParameters.codecs.find(({ mimeType }) => mimeType.toLowerCase() === 'video/rtx')
    return writeForeignAnswer(offer, this.transport, {
      direction: 'sendonly', feedback: rtpParameters.codecs[0]?.rtcpFeedback ?? [], rtxPayloadType: rtx?.payloadType, headerExtensions: rtpParameters.headerExtensions ?? [], rtpParameters,
    })
  }

  /** Begins to flow as soon as the connection stands. */
  async start(): Promise<void> {
    await this.published.flow.want(this, { renditions: [this.#renditionId], prefetch: [] })
  }

  async apply(renditions: readonly RenditionId[]): Promise<void> {
    const isWanted = renditions.includes(this.#renditionId)
    if (isWanted !== this.#consumer.paused) return
    // A consumer that closes meanwhile takes its flow along.
    await (isWanted ? this.#consumer.resume() : this.#consumer.pause()).catch(() => undefined)
  }

  /** One rendition is never withheld; there is nobody to tell. */
  flowChanged(): void {
    return
  }

  close(): void {
    this.published.flow.leave(this)
    this.transport.close()
  }
}

/** What the client can receive, as mediasoup asks for it. The router's own variant of the codec is what its answer will name. */
function capabilitiesOf({ video: { codec, extensions } }: ForeignOffer, { name, payloadType, rtxPayloadType }: ClientNumbering): RtpCapabilities {
  const parameters = parametersOf(name)
  const rtcpFeedback = codec.feedback.map(each => ({ ...each }))
  const shared = { kind: 'video', clockRate: 90_000 } as const
  return {
    codecs: [
      { ...shared, mimeType: `video/${name}`, preferredPayloadType: payloadType, parameters, rtcpFeedback },
      ...(rtxPayloadType === undefined ? [] : [{ ...shared, mimeType: 'video/rtx', preferredPayloadType: rtxPayloadType, parameters: { apt: payloadType }, rtcpFeedback: [] }]),
    ],
    headerExtensions: extensions.map(({ uri, id }) => ({ kind: 'video', uri: uri as never, preferredId: id })),
  }
}
