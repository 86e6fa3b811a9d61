import { Device } from 'mediasoup-client'
import type { types } from 'mediasoup-client'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { TransportId } from '../../../relay/wire/ids.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import type { ConsumerOffer, Publication } from '../../../relay/wire/signaling.ts'
import type { RtpCapabilities } from '../../../relay/wire/webrtc.ts'
import type { SignalingClient } from '../../../relay/wire/signaling-client.ts'

/** A track that carries one rendition while it is watched. */
export interface RenditionTrack {
  readonly renditionId: RenditionId
  readonly track: MediaStreamTrack
}

/** A connection that was lost may come back by itself for so long. */
const DISCONNECTED_PATIENCE_MS = 1000
/** New ICE credentials get so long to connect. */
const RESTART_PATIENCE_MS = 5000

/** One receiving transport with a consumer for every rendition of one publication. */
export class Reception {
  readonly publication: Publication
  readonly tracks: readonly RenditionTrack[]
  /** From the subscribe request until all consumers existed, in seconds. */
  readonly joinSeconds: number
  readonly #transport: types.Transport
  readonly #client: SignalingClient
  readonly #lost = Promise.withResolvers<RelayFault>()
  #patience: ReturnType<typeof setTimeout> | undefined

  private constructor(publication: Publication, transport: types.Transport, client: SignalingClient, joined: { tracks: RenditionTrack[]; seconds: number }) {
    this.publication = publication
    this.tracks = joined.tracks
    this.joinSeconds = joined.seconds
    this.#transport = transport
    this.#client = client
    transport.on('connectionstatechange', state => this.#follow(state))
  }

  /**
   * Builds the transport and all consumers, which wait paused at the node.
   *
   * @throws {RelayFault} The node's code, or `unsupported_media` when this browser can decode no rendition.
   */
  static async open(client: SignalingClient, publication: Publication, iceTransportPolicy: RTCIceTransportPolicy = 'all'): Promise<Reception> {
    const [device, offer] = await Promise.all([createDevice(), client.request('createTransport', {})])
    await device.load({ routerRtpCapabilities: offer.routerRtpCapabilities as types.RtpCapabilities })
    const { transportId, iceParameters, iceCandidates, dtlsParameters, iceServers } = offer
    const transport = device.createRecvTransport({ id: transportId, iceParameters, iceCandidates, dtlsParameters, iceServers, iceTransportPolicy } as types.TransportOptions)
    transport.on('connect', ({ dtlsParameters: own }, done, failed) => {
      client.request('connectTransport', { transportId, dtlsParameters: own }).then(done, failed)
    })
    try {
      const startedAt = performance.now()
      const { publicationId } = publication
      // The same shape by another name: mediasoup's own types leave codec parameters open.
      const rtpCapabilities = device.recvRtpCapabilities as RtpCapabilities
      const { consumers } = await client.request('subscribe', { transportId, publicationId, rtpCapabilities })
      if (consumers.length === 0) throw new RelayFault('unsupported_media', 'this browser can decode none of the renditions')
      const tracks = await Promise.all(consumers.map(consumer => consume(transport, consumer)))
      return new Reception(publication, transport, client, { tracks, seconds: (performance.now() - startedAt) / 1000 })
    } catch (error) {
      transport.close()
      throw error
    }
  }

  /** Settles when the media connection is beyond repair. Never rejects. */
  get lost(): Promise<RelayFault> {
    return this.#lost.promise
  }

  /** Renditions that this browser can decode. */
  has(renditionId: RenditionId): boolean {
    return this.tracks.some(track => track.renditionId === renditionId)
  }

  getStats(): Promise<RTCStatsReport> {
    return this.#transport.getStats()
  }

  /** Ends all tracks. Idempotent. */
  close(): void {
    clearTimeout(this.#patience)
    this.#transport.close()
  }

  #follow(state: types.ConnectionState): void {
    clearTimeout(this.#patience)
    if (state === 'failed') void this.#restartIce()
    else if (state === 'disconnected') this.#patience = setTimeout(() => void this.#restartIce(), DISCONNECTED_PATIENCE_MS)
  }

  /** @see RFC 8445 section 2.4 */
  async #restartIce(): Promise<void> {
    this.#patience = setTimeout(() => this.#lost.resolve(new RelayFault('unavailable', 'the media connection was lost')), RESTART_PATIENCE_MS)
    try {
      const transportId = TransportId.parse(this.#transport.id)
      const { iceParameters } = await this.#client.request('restartIce', { transportId })
      await this.#transport.restartIce({ iceParameters: iceParameters as types.IceParameters })
    } catch (cause) {
      this.#lost.resolve(new RelayFault('unavailable', 'the media connection cannot be restarted', { cause }))
    }
  }
}

async function createDevice(): Promise<Device> {
  try {
    return await Device.factory()
  } catch (cause) {
    throw new RelayFault('unsupported_media', 'this browser has no usable WebRTC', { cause })
  }
}

async function consume(transport: types.Transport, offer: ConsumerOffer): Promise<RenditionTrack> {
  const { consumerId, producerId, renditionId } = offer
  const rtpParameters = offer.rtpParameters as types.RtpParameters
  const { track, rtpReceiver } = await transport.consume({ id: consumerId, producerId, kind: 'video', rtpParameters })
  if (rtpReceiver !== undefined) playAtOnce(rtpReceiver)
  return { renditionId, track }
}

/**
 * Asks for the shortest delay in the browser's own buffer: the worker aligns the frames itself.
 *
 * @see W3C webrtc-extensions section 4.4 (jitterBufferTarget); `playoutDelayHint` is its predecessor in Chromium
 */
function playAtOnce(receiver: RTCRtpReceiver): void {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0
  else if ('playoutDelayHint' in receiver) Object.assign(receiver, { playoutDelayHint: 0 })
}
