import { createWorker } from 'mediasoup'
import { MEDIA_CODECS } from '../../sfu/media-codecs.ts'
import { RECEIVER_CAPABILITIES, writeOffer } from '../receiver/offer.ts'
import type { PlainTransport, Producer, RtpCapabilities } from 'mediasoup/types'
import type { DtlsParameters } from '../../relay/wire/webrtc.ts'
import type { ConsumerOffer, ReplyData } from '../../relay/wire/signaling.ts'
import type { MediasoupCommand } from './mediasoup-messages.ts'

/** What both programs with mediasoup in them can do. */
export interface MediasoupHost {
  /** UDP port on loopback that takes RTP. */
  readonly port: number
  offer(): Promise<{ readonly sdp: string; readonly accept: (dtlsParameters: DtlsParameters) => Promise<void> }>
}

/** The command to begin. */
export type OpenCommand = Extract<MediasoupCommand, { type: 'open' }>

/** Kernel buffers, as our SFU has them: what is compared is not who has more room. @see sfu/worker-pool.ts */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024

/** mediasoup as its documentation uses it: one worker, one router, a transport and a consumer of every producer for each viewer. */
export async function openBareMediasoup(command: OpenCommand): Promise<MediasoupHost> {
  const worker = await createWorker({ logLevel: 'warn' })
  const room = { recvBufferSize: SOCKET_BUFFER_BYTES, sendBufferSize: SOCKET_BUFFER_BYTES }
  const webRtcServer = await worker.createWebRtcServer({ listenInfos: [{ protocol: 'udp', ip: '127.0.0.1', port: command.mediaPort, ...room }] })
  const router = await worker.createRouter({ mediaCodecs: MEDIA_CODECS })
  const ingest = await router.createPlainTransport({ listenInfo: { protocol: 'udp', ip: '127.0.0.1', ...room }, rtcpMux: true })
  const producers = await ingestAll(ingest, command)
  const rtpCapabilities = RECEIVER_CAPABILITIES as RtpCapabilities
  return {
    port: ingest.tuple.localPort,
    offer: async () => {
      const transport = await router.createWebRtcTransport({ webRtcServer, enableUdp: true })
      const consumers = await Promise.all(producers.map(({ id: producerId }) => transport.consume({ producerId, rtpCapabilities })))
      const offers = consumers.map(({ rtpParameters }) => ({ rtpParameters }) as ConsumerOffer)
      return {
        sdp: writeOffer(transport as unknown as ReplyData<'createTransport'>, offers),
        accept: dtlsParameters => transport.connect({ dtlsParameters } as Parameters<typeof transport.connect>[0]),
      }
    },
  }
}

/** Takes every rendition from one port on loopback, in order. */
export async function ingestAll(transport: PlainTransport, { pyramid, firstSsrc, sourcePort }: OpenCommand): Promise<Producer[]> {
  await transport.connect({ ip: '127.0.0.1', port: sourcePort })
  const codec = {
    mimeType: 'video/H264', payloadType: 96, clockRate: 90_000,
    parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 },
    rtcpFeedback: [{ type: 'nack', parameter: 'pli' }],
  }
  return Promise.all(pyramid.renditions.map((_, index) => transport.produce({ kind: 'video', rtpParameters: { codecs: [codec], encodings: [{ ssrc: firstSsrc + index }] } })))
}
