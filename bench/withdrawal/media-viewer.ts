import { connectedWithin, redirectAnswer, redirectOffer } from '../fanout/fanout-viewer.ts'
import { answeredDtls, MediaPeer } from '../receiver/media-peer.ts'
import { RECEIVER_CAPABILITIES, writeOffer } from '../receiver/offer.ts'
import { isRtcp } from '../../relay/recordings/rtp-packet.ts'
import { UdpCounter } from './udp-counter.ts'
import type { SignalingClient } from '../../relay/wire/signaling-client.ts'
import type { Publication } from '../../relay/wire/signaling.ts'
import type { Arrivals } from './arrivals.ts'

/** RTP packets that are decrypted, to see that what is counted is media. */
const SAMPLE = 200

/** The media of a viewer who watches every rendition: counted as they come from the node, decrypted for a sample. */
export class MediaViewer implements Disposable {
  readonly #peer: MediaPeer
  readonly #counter: UdpCounter
  readonly #count: { decrypted: number }

  private constructor(peer: MediaPeer, counter: UdpCounter, count: { decrypted: number }) {
    this.#peer = peer
    this.#counter = counter
    this.#count = count
  }

  /** @throws {RelayFault} when the node refuses, or media cannot flow. */
  static async open(signaling: SignalingClient, { publicationId, pyramid }: Publication): Promise<MediaViewer> {
    const transport = await signaling.request('createTransport', {})
    const { transportId } = transport
    const { consumers } = await signaling.request('subscribe', { transportId, publicationId, rtpCapabilities: RECEIVER_CAPABILITIES })
    const counter = await UdpCounter.open(SAMPLE)
    const { sdp, ip, port } = redirectOffer(writeOffer(transport, consumers), counter.ports.inner)
    counter.setNode(ip, port)
    const count = { decrypted: 0 }
    const peer = await MediaPeer.open({ offer: sdp, onPacket: (_mid, packet) => {
      if (!isRtcp(packet)) count.decrypted++
    } })
    try {
      await signaling.request('connectTransport', { transportId, dtlsParameters: answeredDtls(redirectAnswer(peer.answer, counter.ports.outer)) })
      await connectedWithin(peer)
      await signaling.request('watch', { publicationId, renditions: pyramid.renditions.map(({ id }) => id), prefetch: [] })
      return new MediaViewer(peer, counter, count)
    } catch (error) {
      peer.close()
      counter[Symbol.dispose]()
      throw error
    }
  }

  /** RTP that the node sent. */
  get arrivals(): Arrivals {
    return this.#counter.arrivals
  }

  /** RTP packets of the sample that were decrypted and authenticated. */
  get decrypted(): number {
    return this.#count.decrypted
  }

  [Symbol.dispose](): void {
    this.#peer.close()
    this.#counter[Symbol.dispose]()
  }
}
