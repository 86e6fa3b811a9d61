import { randomUUID } from 'node:crypto'
import { systemClock } from '../relay/runtime/clock.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { PublicationId } from '../relay/wire/ids.ts'
import { millis } from '../relay/wire/units.ts'
import { FlowControl } from './flow/flow-control.ts'
import { LOCAL_LINK } from './node-metrics.ts'
import { parseOffer, writeAnswer } from './sdp-bridge.ts'
import type { RenditionId } from '../relay/wire/ids.ts'
import type { Pyramid } from '../relay/wire/pyramid.ts'
import type { Demand, RequestOf } from '../relay/wire/signaling.ts'
import type { Stage } from '../relay/wire/stage.ts'
import type { Millis } from '../relay/wire/units.ts'
import type { OfferedTrack, ParsedOffer } from './sdp-bridge.ts'
import type { Producer, WebRtcTransport } from 'mediasoup/types'

/** Ask a microscope for a keyframe of one rendition at most this often, in milliseconds. */
const KEY_FRAME_REQUEST_DELAY_MILLIS = 500
const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/

interface TrackPlan {
  readonly renditionId: RenditionId
  readonly track: OfferedTrack
}

interface OpenedMedia {
  readonly transport: WebRtcTransport
  readonly producers: ReadonlyMap<RenditionId, Producer>
  readonly answer: string
}

/** Pairs the renditions of a pyramid with the media sections of an offer, one to one. */
function pairTracks(request: RequestOf<'publish'>, offer: ParsedOffer): TrackPlan[] {
  const byMid = new Map(offer.tracks.map(track => [track.mid, track]))
  const codecs = new Map(request.pyramid.renditions.map(rendition => [rendition.id, rendition.codec]))
  if (request.tracks.length !== codecs.size || new Set(request.tracks.map(track => track.renditionId)).size !== codecs.size) {
    throw new RelayFault('bad_message', 'every rendition of the pyramid needs exactly one track')
  }
  return request.tracks.map(({ mid, renditionId }) => {
    const track = byMid.get(mid)
    const codec = codecs.get(renditionId)
    if (track === undefined || codec === undefined) {
      throw new RelayFault('bad_message', `track ${renditionId} has no media section or is not in the pyramid`)
    }
    byMid.delete(mid)
    const [offered] = track.rtpParameters.codecs
    if (offered?.mimeType !== `video/${codec}`) throw new RelayFault('unsupported_media', `${renditionId} is not offered as ${codec}`)
    return { renditionId, track }
  })
}

/** One publication's transport and producers. Closing it closes every consumer of it. */
export class PublishedMedia {
  readonly publicationId: PublicationId
  readonly pyramid: Pyramid
  readonly transport: WebRtcTransport
  readonly producers: ReadonlyMap<RenditionId, Producer>
  /** Decides what flows of it. */
  readonly flow: FlowControl
  /** SDP text for the microscope. */
  readonly answer: string
  /** What can be steered, and where it is by the microscope's last word. */
  stage: Stage | null
  /** The link that it comes by: a metric label. */
  linkName: string = LOCAL_LINK
  /** The agent's clock less the node's; undefined where nobody measures it. An agent on this machine has the node's own. */
  clockOffset: () => Millis | undefined = () => (this.#isLocal() ? millis(0) : undefined)
  readonly #closed = Promise.withResolvers<RelayFault>()

  private constructor({ pyramid, stage }: RequestOf<'publish'>, media: OpenedMedia, onDemand: (demand: Demand) => void) {
    const { transport, producers, answer } = media
    this.publicationId = PublicationId.parse(randomUUID())
    this.pyramid = pyramid
    this.stage = stage
    this.flow = new FlowControl({ pyramid, clock: systemClock, onDemand })
    this.transport = transport
    this.producers = producers
    this.answer = answer
    transport.observer.once('close', () => {
      this.flow.close()
      this.#closed.resolve(new RelayFault('unavailable', 'the media transport closed'))
    })
    transport.on('dtlsstatechange', state => {
      if (state === 'failed' || state === 'closed') this.close(new RelayFault('unavailable', `DTLS ${state}`))
    })
    transport.on('icestatechange', state => {
      if (state === 'disconnected') this.close(new RelayFault('unavailable', 'the microscope stopped answering on ICE'))
    })
  }

  /**
   * Takes over `transport` and produces every rendition on it.
   *
   * @throws {RelayFault} `bad_message` or `unsupported_media`; the transport is closed then.
   */
  static async open(transport: WebRtcTransport, request: RequestOf<'publish'>, onDemand: (demand: Demand) => void): Promise<PublishedMedia> {
    try {
      const offer = parseOffer(request.sdp)
      const plans = pairTracks(request, offer)
      const answer = writeAnswer(offer.tracks, offer, transport)
      await transport.connect({ dtlsParameters: offer.dtlsParameters })
      const producers = await Promise.all(
        plans.map(async ({ renditionId, track: { kind, rtpParameters } }) => {
          const producer = await transport.produce({ kind, rtpParameters, keyFrameRequestDelay: KEY_FRAME_REQUEST_DELAY_MILLIS })
          return [renditionId, producer] as const
        }),
      )
      return new PublishedMedia(request, { transport, producers: new Map(producers), answer }, onDemand)
    } catch (error) {
      transport.close()
      // mediasoup's ORTC validation speaks in plain errors.
      if (error instanceof RelayFault) throw error
      throw new RelayFault('unsupported_media', 'the offer cannot be forwarded', { cause: error })
    }
  }

  /** Settles once, with the reason. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#closed.promise
  }

  /** Idempotent; the first reason wins. */
  close(reason: RelayFault): void {
    this.#closed.resolve(reason)
    this.transport.close()
  }

  #isLocal(): boolean {
    return LOOPBACK.test(this.transport.iceSelectedTuple?.remoteIp ?? '')
  }
}
