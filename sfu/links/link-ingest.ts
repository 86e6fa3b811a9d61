import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { MediaDigests } from '../../relay/links/measurement/media-digests.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid, RenditionCodec } from '../../relay/wire/pyramid.ts'
import type { LinkTrack, RequestOf } from '../../relay/wire/signaling.ts'
import type { Socket } from 'node:dgram'
import type { PlainTransport, Producer, RtpParameters } from 'mediasoup/types'

const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
const RTP_HEADER_BYTES = 12
/** Ask for a keyframe of one rendition at most this often, in milliseconds. */
const KEY_FRAME_REQUEST_DELAY_MILLIS = 500
/** Payload types and header extensions that flows on a link use. `docs/LINKS.md` has them. */
export const LINK_RTP = { H264: 96, VP9: 98, playoutDelayId: 1, playoutDelayUri: 'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay' } as const

/** RTP of a link, repaired and in order, on its way to mediasoup by loopback. */
export interface LinkIngest {
  readonly transport: PlainTransport
  readonly producers: ReadonlyMap<RenditionId, Producer>
  /** Takes one packet of a flow; what is not its RTP is dropped and counted. */
  take(flow: number, packet: Buffer): void
  /** Digests of what was received. */
  readonly digests: MediaDigests
  /** Packets dropped so far. */
  readonly refused: number
}

/** Pairs the renditions of a pyramid with flows, one to one. @throws {RelayFault} `bad_message`. */
function checkTracks({ renditions }: Pyramid, tracks: readonly LinkTrack[]): void {
  const areDistinct = (values: readonly unknown[]): boolean => new Set(values).size === tracks.length
  const isWhole = tracks.length === renditions.length && renditions.every(({ id }) => tracks.some(({ renditionId }) => renditionId === id))
  if (isWhole && [tracks.map(({ renditionId }) => renditionId), tracks.map(({ flow }) => flow), tracks.map(({ ssrc }) => ssrc)].every(areDistinct)) return
  throw new RelayFault('bad_message', 'every rendition of the pyramid needs exactly one track, with a flow and an SSRC of its own')
}

function rtpParameters(codec: RenditionCodec, ssrc: number): RtpParameters {
  const parameters = codec === 'H264' ? { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 } : { 'profile-id': 0 }
  return {
    // A link repairs by itself: no NACK is asked for.
    codecs: [{ mimeType: `video/${codec}`, payloadType: LINK_RTP[codec], clockRate: 90_000, parameters, rtcpFeedback: [{ type: 'nack', parameter: 'pli' }] }],
    encodings: [{ ssrc }],
    headerExtensions: [{ uri: LINK_RTP.playoutDelayUri, id: LINK_RTP.playoutDelayId }],
    rtcp: { cname: 'link', reducedSize: true },
  }
}

/**
 * Produces every rendition from the flows of a link. Takes the transport over, which is closed when this fails, and
 * whose end closes the socket.
 *
 * @throws {RelayFault} `bad_message` or `unsupported_media`.
 */
export async function openLinkIngest(transport: PlainTransport, { pyramid, tracks }: RequestOf<'publishLink'>): Promise<LinkIngest> {
  let socket: Socket | undefined
  try {
    checkTracks(pyramid, tracks)
    socket = await connectedSocket(transport)
    const codecs = new Map(pyramid.renditions.map(({ id, codec }) => [id, codec]))
    const producers = await Promise.all(
      tracks.map(async ({ renditionId, ssrc }) => {
        const parameters = rtpParameters(codecs.get(renditionId) ?? 'H264', ssrc)
        return [renditionId, await transport.produce({ kind: 'video', rtpParameters: parameters, keyFrameRequestDelay: KEY_FRAME_REQUEST_DELAY_MILLIS })] as const
      }),
    )
    return new SocketIngest(transport, new Map(producers), tracks, socket)
  } catch (error) {
    socket?.close()
    transport.close()
    if (error instanceof RelayFault) throw error
    throw new RelayFault('unsupported_media', 'the tracks cannot be forwarded', { cause: error })
  }
}

/** A socket that speaks to the transport and that the transport listens to, and no other on this machine. */
async function connectedSocket(transport: PlainTransport): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: SOCKET_BUFFER_BYTES, sendBufferSize: SOCKET_BUFFER_BYTES })
  socket.on('error', () => undefined)
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  socket.connect(transport.tuple.localPort, '127.0.0.1')
  await once(socket, 'connect')
  await transport.connect({ ip: '127.0.0.1', port: socket.address().port })
  return socket
}

class SocketIngest implements LinkIngest {
  readonly transport: PlainTransport
  readonly producers: ReadonlyMap<RenditionId, Producer>
  readonly digests = new MediaDigests()
  readonly #tracks: ReadonlyMap<number, LinkTrack>
  readonly #socket: Socket
  #refused = 0
  #isOpen = true

  constructor(transport: PlainTransport, producers: ReadonlyMap<RenditionId, Producer>, tracks: readonly LinkTrack[], socket: Socket) {
    this.transport = transport
    this.producers = producers
    this.#tracks = new Map(tracks.map(track => [track.flow, track]))
    this.#socket = socket
    transport.observer.once('close', () => {
      this.#isOpen = false
      socket.close()
    })
  }

  get refused(): number {
    return this.#refused
  }

  take(flow: number, packet: Buffer): void {
    const track = this.#tracks.get(flow)
    const isRtp = packet.length >= RTP_HEADER_BYTES && packet.readUInt8(0) >> 6 === 2 && packet.readUInt32BE(8) === track?.ssrc
    if (!isRtp || !this.#isOpen) {
      this.#refused++
      return
    }
    this.digests.take(track.renditionId, packet)
    this.#socket.send(packet)
  }
}
