import { createSecretKey, randomInt } from 'node:crypto'
import {
  RTCPeerConnection,
  RTCRtpCodecParameters,
  RTCRtpHeaderExtensionParameters,
  RtpHeader,
  RtpPacket,
  useNACK,
  usePLI,
  useSdesMid,
  useTransportWideCC,
  useTWCC,
} from 'werift'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { readArrivals } from './transport-feedback.ts'
import type { RTCDtlsTransport, RTCRtpSender, RTCRtpTransceiver } from 'werift'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid, RenditionCodec } from '../../relay/wire/pyramid.ts'
import type { IceServer } from '../../relay/wire/webrtc.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Carrier, CarrierCounts, UplinkMeter } from './carrier.ts'
import type { UplinkEstimator } from './uplink-estimator.ts'
import type { PacedPacket } from './pacer.ts'

/** How the offer reaches the node, and the answer comes back. */
export type ExchangeSdp = (offer: {
  readonly sdp: string
  readonly tracks: { mid: string; renditionId: RenditionId }[]
}) => Promise<string>

/** What {@link Publisher} needs. */
export interface PublisherOptions {
  readonly pyramid: Pyramid
  /** Also gather 127.0.0.1, which reaches nodes on this machine only. */
  readonly usesLoopback: boolean
  /** Relays to go by where the node is not reached; of several, the first. */
  readonly iceServers: readonly IceServer[]
  readonly exchange: ExchangeSdp
  /** Told of every packet and all feedback; without one, no feedback is asked for. */
  readonly estimator?: UplinkEstimator | undefined
  readonly clock: Clock
}

/** One entry for each URL, TLS first: only the first is used, and TLS is what passes where nothing else does. */
function relaysOf(servers: readonly IceServer[]): { urls: string; username: string; credential: string }[] {
  const entries = servers.flatMap(({ urls, username, credential }) => urls.map(url => ({ urls: url, username, credential })))
  return entries.sort((one, other) => Number(other.urls.startsWith('turns:')) - Number(one.urls.startsWith('turns:')))
}

const CONNECT_TIMEOUT = millis(8000)
/** Packets handed to the socket and not yet taken by it; more means that it is stuck. */
const MAX_PACKETS_IN_FLIGHT = 8192

/** Retransmission has a payload type of its own. @see RFC 4588 section 8.6 */
const retransmission = (payloadType: number, of: number): RTCRtpCodecParameters =>
  new RTCRtpCodecParameters({ mimeType: 'video/rtx', clockRate: 90_000, payloadType, rtcpFeedback: [], parameters: `apt=${of}` })

/**
 * What is offered for each codec. Constrained Baseline is what the default encoder makes and what every
 * browser offers; the level of the larger renditions is in their parameter sets.
 */
function codecParameters(codec: RenditionCodec, hasFeedback: boolean): RTCRtpCodecParameters[] {
  const [payloadType, parameters] =
    codec === 'H264' ? [96, 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f'] : [98, 'profile-id=0']
  const primary = new RTCRtpCodecParameters({
    mimeType: `video/${codec}`,
    clockRate: 90_000,
    payloadType,
    rtcpFeedback: hasFeedback ? [useNACK(), usePLI(), useTWCC()] : [useNACK(), usePLI()],
    parameters,
  })
  return [primary, retransmission(payloadType + 1, payloadType)]
}

/**
 * Minimum and maximum playout delay of 0: a viewer aligns tiles itself, and wants each frame as soon as it
 * is complete. @see http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
 */
const PLAYOUT_DELAY_URI = 'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay'
const NO_PLAYOUT_DELAY = Buffer.from([0, 0, 0])
const TRANSPORT_WIDE_URI = useTransportWideCC().uri
/** IP, UDP, RTP with its header extensions, and the tag of SRTP, in bytes. */
const PACKET_OVERHEAD = 28 + 12 + 20 + 16

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] }

interface OutgoingTrack {
  readonly sender: RTCRtpSender
  /** Ids that were negotiated. @see RFC 8285 */
  readonly playoutDelayId: number | undefined
  readonly transportWideId: number | undefined
  sequenceNumber: number
}

/** One WebRTC connection to a node, with one sending track per rendition. */
export class Publisher implements Carrier {
  readonly kind = 'webrtc'
  readonly uplink: UplinkMeter | undefined
  readonly #connection: RTCPeerConnection
  readonly #tracks: ReadonlyMap<RenditionId, OutgoingTrack>
  readonly #closed = Promise.withResolvers<RelayFault>()
  readonly #counts: Mutable<CarrierCounts> = { packetsSent: 0, bytesSent: 0, packetsNacked: 0, plis: 0, packetsDropped: 0 }
  readonly #clock: Clock
  #inFlight = 0
  #transportWide = 0

  private constructor(connection: RTCPeerConnection, tracks: ReadonlyMap<RenditionId, OutgoingTrack>, { estimator, clock }: PublisherOptions) {
    this.#connection = connection
    this.uplink = estimator
    this.#clock = clock
    this.#tracks = tracks
    connection.connectionStateChange.subscribe(state => {
      if (state === 'failed' || state === 'closed' || state === 'disconnected') {
        this.#closed.resolve(new RelayFault('unavailable', 'the media connection to the node was lost'))
      }
    })
    for (const { sender } of tracks.values()) {
      sender.onPictureLossIndication.subscribe(() => this.#counts.plis++)
      sender.onGenericNack.subscribe(nack => (this.#counts.packetsNacked += nack.lost.length))
      if (estimator !== undefined) this.#follow(sender, estimator)
    }
    const transportWideId = [...tracks.values()].find(track => track.transportWideId !== undefined)?.transportWideId
    if (estimator === undefined || transportWideId === undefined) return
    for (const transport of connection.dtlsTransports) this.#number(transport, transportWideId, estimator)
  }

  /**
   * Connects and waits until media can flow.
   *
   * @throws {RelayFault} What the exchange throws; `unavailable` when no media connection comes about in time.
   */
  static async open(options: PublisherOptions, signal: AbortSignal): Promise<Publisher> {
    await using scope = new AsyncDisposableStack()
    const { pyramid } = options
    const hasFeedback = options.estimator !== undefined
    const playoutDelay = new RTCRtpHeaderExtensionParameters({ uri: PLAYOUT_DELAY_URI })
    const connection = new RTCPeerConnection({
      bundlePolicy: 'max-bundle',
      codecs: { audio: [], video: [...new Set(pyramid.renditions.map(({ codec }) => codec))].flatMap(codec => codecParameters(codec, hasFeedback)) },
      headerExtensions: { audio: [], video: [useSdesMid(), playoutDelay, ...(hasFeedback ? [useTransportWideCC()] : [])] },
      iceServers: relaysOf(options.iceServers),
      iceUseIpv6: false,
      iceUseTcp: false,
      ...(options.usesLoopback ? { iceAdditionalHostAddresses: ['127.0.0.1'] } : {}),
    })
    scope.defer(() => connection.close())
    const transceivers = pyramid.renditions.map(({ codec }) => {
      const transceiver = connection.addTransceiver('video', { direction: 'sendonly' })
      transceiver.setCodecPreferences(codecParameters(codec, hasFeedback))
      return transceiver
    })
    await connection.setLocalDescription(await connection.createOffer())
    signal.throwIfAborted()
    const sdp = await options.exchange({ sdp: connection.localDescription?.sdp ?? '', tracks: pairTracks(pyramid, transceivers) })
    await connection.setRemoteDescription({ type: 'answer', sdp })
    await connected(connection, signal)
    prepareSessionKey(connection)
    const tracks = pyramid.renditions.map(({ id }, index) => [id, outgoing(transceivers[index])] as const)
    const publisher = new Publisher(connection, new Map(tracks), options)
    scope.move()
    return publisher
  }

  /** Settles once, when media can no longer flow. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#closed.promise
  }

  /** Sends one packet, or drops and counts it when the socket is stuck. */
  send(packet: PacedPacket): void {
    const track = this.#tracks.get(packet.renditionId)
    if (track === undefined) return
    if (this.#inFlight >= MAX_PACKETS_IN_FLIGHT) {
      this.#counts.packetsDropped++
      return
    }
    const sequenceNumber = track.sequenceNumber
    track.sequenceNumber = (sequenceNumber + 1) & 0xffff
    // SSRC and payload type are those that were negotiated: werift fills them in.
    const header = new RtpHeader({ sequenceNumber, timestamp: packet.timestamp, marker: packet.marker, extensions: extensionsFor(track) })
    this.#inFlight++
    this.#counts.packetsSent++
    this.#counts.bytesSent += packet.payload.length
    void track.sender
      .sendRtp(new RtpPacket(header, packet.payload))
      .catch((cause: unknown) => this.#closed.resolve(new RelayFault('unavailable', 'a packet could not be sent', { cause })))
      .finally(() => this.#inFlight--)
  }

  /**
   * Numbers every packet that leaves, retransmissions too. werift would send those with the number they had
   * at first, which stops mediasoup's feedback for good once one of them is old enough to seem new.
   */
  #number(transport: RTCDtlsTransport, transportWideId: number, estimator: UplinkEstimator): void {
    const sendRtp = transport.sendRtp.bind(transport)
    transport.sendRtp = (payload, header) => {
      this.#transportWide = (this.#transportWide + 1) & 0xffff
      const number = Buffer.allocUnsafe(2)
      number.writeUInt16BE(this.#transportWide)
      header.extensions = header.extensions.map(extension => (extension.id === transportWideId ? { ...extension, payload: number } : extension))
      estimator.sent(this.#transportWide, payload.length + PACKET_OVERHEAD, this.#clock.now())
      return sendRtp(payload, header)
    }
  }

  /** Listens to what the node says of packets. It may say it to any sender: the numbers are the transport's. */
  #follow(sender: RTCRtpSender, estimator: UplinkEstimator): void {
    // werift's own estimator keeps a record of every packet and looks up no more than a part of it.
    sender.senderBWE.rtpPacketSent = () => undefined
    sender.senderBWE.receiveTWCC = feedback => estimator.feedback(readArrivals(feedback), this.#clock.now())
  }

  /** What left and came back since the connection was made. */
  get counts(): CarrierCounts {
    return this.#counts
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close()
    this.#closed.resolve(new RelayFault('unavailable', 'closed by this side'))
  }
}

function pairTracks(pyramid: Pyramid, transceivers: readonly RTCRtpTransceiver[]): { mid: string; renditionId: RenditionId }[] {
  return pyramid.renditions.map(({ id }, index) => ({ mid: transceivers[index]?.mid ?? '', renditionId: id }))
}

/** Extensions that werift does not write by itself. Their order is that of their ids. */
function extensionsFor({ playoutDelayId }: OutgoingTrack): { id: number; payload: Buffer }[] {
  return playoutDelayId === undefined ? [] : [{ id: playoutDelayId, payload: NO_PLAYOUT_DELAY }]
}

function outgoing(transceiver: RTCRtpTransceiver | undefined): OutgoingTrack {
  if (transceiver === undefined) throw new Error('one transceiver per rendition')
  // Below 2^15, so that the first packets can be lost without confusion about the rollover counter. @see RFC 3711 section 3.3.1
  const idOf = (uri: string): number | undefined => transceiver.headerExtensions.find(extension => extension.uri === uri)?.id
  return { sender: transceiver.sender, playoutDelayId: idOf(PLAYOUT_DELAY_URI), transportWideId: idOf(TRANSPORT_WIDE_URI), sequenceNumber: randomInt(0, 0x8000) }
}

/**
 * Hands werift's SRTP its session key as a KeyObject, which it passes on to `createCipheriv` for every packet.
 *
 * Node 24 spends 15 µs on a packet whose key is a Buffer and 5 on one whose key is a KeyObject: a
 * tenth of a core at 8K.
 */
function prepareSessionKey(connection: RTCPeerConnection): void {
  for (const { srtp } of connection.dtlsTransports) {
    const { cipher } = srtp.localContext
    // werift's type says Buffer; Node takes either.
    cipher.srtpSessionKey = createSecretKey(cipher.srtpSessionKey) as unknown as Buffer
  }
}

async function connected(connection: RTCPeerConnection, signal: AbortSignal): Promise<void> {
  const done = Promise.withResolvers<undefined>()
  const check = (): void => {
    if (connection.connectionState === 'connected') done.resolve(undefined)
    if (connection.connectionState === 'failed') done.reject(new RelayFault('unavailable', 'no media path to the node'))
  }
  const give = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT)])
  const stop = (): void => done.reject(new RelayFault('unavailable', 'no media path to the node came about in time'))
  give.addEventListener('abort', stop, { once: true })
  const { unSubscribe } = connection.connectionStateChange.subscribe(check)
  check()
  try {
    await done.promise
  } finally {
    unSubscribe()
    give.removeEventListener('abort', stop)
  }
}
