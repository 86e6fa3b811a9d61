import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { OVERVIEW } from '../../relay/wire/ids.ts'
import { planUncut } from '../../relay/wire/pyramid.ts'
import { LOCAL_LINK } from '../node-metrics.ts'
import { connectionLost } from '../sdp-ingest.ts'
import { parametersOf } from './client-numbering.ts'
import { writeForeignAnswer } from './foreign-answer.ts'
import { StreamWatch } from './stream-watch.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { Consultation } from '../consultation.ts'
import type { MediaRoom } from '../media-room.ts'
import type { MicroscopeSession } from '../microscope-session.ts'
import type { IngestedMedia, PublishedMedia } from '../published-media.ts'
import type { ForeignOffer } from './foreign-offer.ts'
import type { StreamShape } from './stream-probe.ts'
import type { Producer, RtpParameters, WebRtcTransport } from 'mediasoup/types'

/** Ask a publisher for a keyframe at most this often, in milliseconds. */
const KEY_FRAME_REQUEST_DELAY_MILLIS = 500

/** The media half of a WHIP session, before it has a member. */
export interface WhipMedia {
  readonly room: MediaRoom
  readonly transport: WebRtcTransport
  readonly producer: Producer
}

/**
 * What a WHIP client sends: one rendition, which becomes a publication once its first frames have said how
 * large it is, and another one when its size changes.
 */
export class WhipPublication {
  readonly transport: WebRtcTransport
  /** SDP text for the client. */
  readonly answer: string
  readonly #consultation: Consultation
  readonly #session: MicroscopeSession
  readonly #offer: ForeignOffer
  readonly #producer: Producer
  readonly #log: Logger
  #published: PublishedMedia | undefined

  private constructor(consultation: Consultation, session: MicroscopeSession, offer: ForeignOffer, transport: WebRtcTransport, producer: Producer, log: Logger) {
    this.#consultation = consultation
    this.#session = session
    this.#offer = offer
    this.transport = transport
    this.#producer = producer
    this.#log = log
    const { rtxPayloadType, feedback } = offer.video.codec
    const { headerExtensions = [] } = producer.rtpParameters
    this.answer = writeForeignAnswer(offer, transport, { direction: 'recvonly', rtxPayloadType, feedback, headerExtensions })
  }

  /**
   * Opens the media of an offer for a member who is not there yet: an offer that is refused changes nothing.
   * Its transport is the caller's to close until {@link begin}.
   *
   * @throws {RelayFault} `unsupported_media`, `unavailable`.
   */
  static async receive(room: MediaRoom, offer: ForeignOffer): Promise<WhipMedia> {
    const transport = await room.createWebRtcTransport()
    try {
      await transport.connect({ dtlsParameters: offer.dtlsParameters })
      const producer = await transport.produce({ kind: 'video', rtpParameters: sentOf(offer), keyFrameRequestDelay: KEY_FRAME_REQUEST_DELAY_MILLIS })
      return { room, transport, producer }
    } catch (error) {
      if (transport.closed) throw new RelayFault('unavailable', 'the media transport closed', { cause: error })
      transport.close()
      // mediasoup's ORTC validation speaks in plain errors.
      throw new RelayFault('unsupported_media', 'the offer cannot be forwarded', { cause: error })
    }
  }

  /** Publishes what comes, once it has said its size. @throws {RelayFault} `unavailable`. */
  static async begin(consultation: Consultation, session: MicroscopeSession, offer: ForeignOffer, media: WhipMedia, log: Logger): Promise<WhipPublication> {
    const { room, transport, producer } = media
    const publication = new WhipPublication(consultation, session, offer, transport, producer, log)
    const watch = await StreamWatch.open(room, producer, offer.video.codec.name, systemClock, shape => void publication.#publish(shape))
    void session.closed.then(() => watch.close())
    return publication
  }

  async #publish(shape: StreamShape): Promise<void> {
    try {
      const pyramid = planUncut({ ...shape, codec: this.#offer.video.codec.name })
      const published = await this.#consultation.publish(this.#session, { pyramid, stage: null }, () => Promise.resolve(this.#ingest()))
      this.#published = published
      void published.closed.then(reason => {
        if (this.#published === published) this.#session.close(reason)
      })
    } catch (error) {
      const fault = toFault(error)
      if (fault.code === 'internal') this.#log.error({ err: error }, 'a WHIP publication failed')
      this.#session.close(fault)
    }
  }

  /** The media as they came, or as an earlier publication of another size leaves them. */
  #ingest(): IngestedMedia {
    if (this.transport.closed) throw new RelayFault('unavailable', 'the media transport closed')
    const earlier = this.#published
    this.#published = undefined
    return (
      earlier?.handOver(new RelayFault('conflict', 'the size of the image changed')) ?? {
        transport: this.transport,
        producers: new Map([[OVERVIEW, this.#producer]]),
        linkName: LOCAL_LINK,
        // Nobody says when its images were captured.
        clockOffset: () => undefined,
        lost: connectionLost(this.transport),
      }
    )
  }
}

/** What the client sends, as mediasoup takes it: H.264 of any profile as the one that the router forwards. */
function sentOf({ video: { mid, codec, extensions, ssrc, rtxSsrc } }: ForeignOffer): RtpParameters {
  const { name, payloadType, rtxPayloadType, feedback } = codec
  const parameters = parametersOf(name)
  const rtcpFeedback = feedback.map(each => ({ ...each }))
  return {
    mid,
    codecs: [
      { mimeType: `video/${name}`, payloadType, clockRate: 90_000, parameters, rtcpFeedback },
      ...(rtxPayloadType === undefined ? [] : [{ mimeType: 'video/rtx' as const, payloadType: rtxPayloadType, clockRate: 90_000, parameters: { apt: payloadType }, rtcpFeedback: [] }]),
    ],
    headerExtensions: extensions.map(({ uri, id }) => ({ uri: uri as never, id })),
    encodings: [ssrc === undefined ? {} : { ssrc, ...(rtxPayloadType === undefined || rtxSsrc === undefined ? {} : { rtx: { ssrc: rtxSsrc } }) }],
    rtcp: { reducedSize: true },
  }
}
