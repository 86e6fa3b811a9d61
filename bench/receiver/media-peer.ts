import { PeerConnection } from 'node-datachannel'
import { parse } from 'sdp-transform'
import { RelayFault } from '../../relay/wire/fault.ts'
import { DtlsParameters } from '../../relay/wire/webrtc.ts'
import type { Track } from 'node-datachannel'

/** What a {@link MediaPeer} is told. */
export interface MediaPeerOptions {
  /** The node's half, as SDP. */
  readonly offer: string
  /** Called with every decrypted RTP or RTCP packet and the `mid` of its section. */
  readonly onPacket: (mid: string, packet: Buffer) => void
}

/**
 * The WebRTC half of a receiver: ICE, DTLS and SRTP by libdatachannel, whose threads read the socket and
 * decrypt; packets reach JavaScript one by one.
 */
export class MediaPeer {
  readonly #connection: PeerConnection
  readonly #tracks: ReadonlyMap<string, Track>
  readonly #connected: Promise<void>
  /** Its half, as SDP. */
  readonly answer: string
  /** For `connectTransport`. */
  readonly dtlsParameters: DtlsParameters

  private constructor(connection: PeerConnection, tracks: ReadonlyMap<string, Track>, connected: Promise<void>, answer: string) {
    this.#connection = connection
    this.#tracks = tracks
    this.#connected = connected
    this.answer = answer
    this.dtlsParameters = answeredDtls(answer)
  }

  /** Answers the offer. @throws {RelayFault} `unsupported_media` when libdatachannel refuses it. */
  static async open({ offer, onPacket }: MediaPeerOptions): Promise<MediaPeer> {
    const connection = new PeerConnection('receiver', { iceServers: [], disableAutoNegotiation: true })
    const tracks = new Map<string, Track>()
    const connected = Promise.withResolvers<undefined>()
    connected.promise.catch(() => undefined)
    const gathered = Promise.withResolvers<undefined>()
    connection.onTrack(track => {
      const mid = track.mid()
      tracks.set(mid, track)
      track.onMessage(packet => onPacket(mid, packet))
    })
    connection.onStateChange(state => {
      const current: string = state
      if (current === 'connected') connected.resolve(undefined)
      if (current === 'failed' || current === 'closed') connected.reject(new RelayFault('unavailable', `the media connection is ${current}`))
    })
    connection.onGatheringStateChange(state => {
      const current: string = state
      if (current === 'complete') gathered.resolve(undefined)
    })
    try {
      connection.setRemoteDescription(offer, 'offer')
      connection.setLocalDescription('answer')
    } catch (cause) {
      connection.close()
      throw new RelayFault('unsupported_media', 'libdatachannel cannot answer the offer', { cause })
    }
    await gathered.promise
    return new MediaPeer(connection, tracks, connected.promise, connection.localDescription()?.sdp ?? '')
  }

  /** Settles when media can flow. @throws {RelayFault} `unavailable` when ICE or DTLS fail. */
  get connected(): Promise<void> {
    return this.#connected
  }

  /** Sends one RTCP packet. libdatachannel lets them pass in either direction on a track without a handler of its own. */
  sendRtcp(mid: string, packet: Buffer): void {
    const track = this.#tracks.get(mid)
    if (track?.isOpen() === true) track.sendMessageBinary(packet)
  }

  /** Idempotent. */
  close(): void {
    this.#connection.close()
  }
}

/** What an answer says of DTLS. @throws {RelayFault} `unsupported_media` when it carries no usable fingerprint. */
export function answeredDtls(sdp: string): DtlsParameters {
  const session = parse(sdp)
  const fingerprint = session.fingerprint ?? session.media[0]?.fingerprint
  const setup = session.setup ?? session.media[0]?.setup
  const result = DtlsParameters.safeParse({
    role: setup === 'passive' ? 'server' : 'client',
    fingerprints: [{ algorithm: fingerprint?.type, value: fingerprint?.hash }],
  })
  if (!result.success) throw new RelayFault('unsupported_media', 'the answer carries no usable fingerprint')
  return result.data
}
