import { RelayFault } from '../relay/wire/fault.ts'
import { MEDIA_CODECS } from './media-codecs.ts'
import { numberedCodecs } from './whip/client-numbering.ts'
import { NumberedRouters } from './whip/numbered-routers.ts'
import { ViewerMedia } from './viewer-media.ts'
import { RoomVoices } from './voice/room-voices.ts'
import type { GrantedMedia } from '../relay/wire/admission.ts'
import type { Flow } from '../relay/wire/signaling.ts'
import type { ClientNumbering } from './whip/client-numbering.ts'
import type { MediaWorker, WorkerTenant } from './worker-pool.ts'
import type { DirectTransport, PlainTransport, Router, RtpCapabilities, WebRtcTransport } from 'mediasoup/types'

/** What a viewer's line is taken to carry before anything was measured, in bits per second. */
const INITIAL_OUTGOING_BITRATE = 100e6
/** Above any 8K pyramid with its whole stream beside it, in bits per second. */
const MAX_BITRATE = 400e6
/** A few voices, in bits per second. */
const VOICE_BITRATE = { initial: 1e6, max: 4e6 }
/** Kernel buffers of a loopback socket for media. A pyramid's keyframes come in bursts of megabits. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
/** A peer that answers no consent check for this long is gone. @see RFC 7675 section 5.1 */
const ICE_CONSENT_TIMEOUT_SECONDS = 10

/** A transport on a router with a client's own payload types. */
export interface NumberedTransport {
  readonly transport: WebRtcTransport
  /** What is to be sent, by its id on that router. */
  readonly producerId: string
}

/** One consultation's router, on one worker. It ends with its worker. */
export class MediaRoom implements WorkerTenant {
  readonly #worker: MediaWorker
  readonly #router: Router
  readonly #numbered: NumberedRouters
  readonly #closed = Promise.withResolvers<RelayFault>()
  #voices: Promise<RoomVoices> | undefined
  #isOpen = true

  private constructor(worker: MediaWorker, router: Router) {
    this.#worker = worker
    this.#router = router
    this.#numbered = new NumberedRouters(router, numbering => worker.worker.createRouter({ mediaCodecs: numberedCodecs(numbering) }))
    worker.lodge(this)
  }

  /** Makes a router on the given worker. */
  static async open(worker: MediaWorker): Promise<MediaRoom> {
    return new MediaRoom(worker, await worker.worker.createRouter({ mediaCodecs: MEDIA_CODECS }))
  }

  /** Settles once, with the reason. Never rejects. */
  get closed(): Promise<RelayFault> {
    return this.#closed.promise
  }

  /** What the room forwards, as its own consumers say it. */
  get rtpCapabilities(): RtpCapabilities {
    return this.#router.rtpCapabilities
  }

  workerClosed(fault: RelayFault | undefined): void {
    this.close(fault ?? new RelayFault('unavailable', 'the media worker closed'))
  }

  /** A transport for one microscope's WebRTC connection. @throws {RelayFault} `unavailable`. */
  createWebRtcTransport(): Promise<WebRtcTransport> {
    return this.#whileOpen(() => this.#openTransport(this.#router))
  }

  /** A transport for RTP on loopback. @throws {RelayFault} `unavailable`. */
  createPlainTransport(): Promise<PlainTransport> {
    return this.#whileOpen(() =>
      this.#router.createPlainTransport({
        listenInfo: { protocol: 'udp', ip: '127.0.0.1', recvBufferSize: SOCKET_BUFFER_BYTES, sendBufferSize: SOCKET_BUFFER_BYTES },
        rtcpMux: true,
      }),
    )
  }

  /** For packets of a producer that the node itself looks at, or makes. @throws {RelayFault} `unavailable`. */
  createDirectTransport(): Promise<DirectTransport> {
    return this.#whileOpen(() => this.#router.createDirectTransport())
  }

  /** A transport for one client that is to be sent a producer under its own payload types. @throws {RelayFault} `unavailable`. */
  createNumberedTransport(numbering: ClientNumbering, producerId: string): Promise<NumberedTransport> {
    return this.#whileOpen(async () => {
      const lease = await this.#numbered.lease(numbering, producerId)
      try {
        const transport = await this.#openTransport(lease.router)
        transport.observer.once('close', lease.release)
        return { transport, producerId: lease.producerId }
      } catch (error) {
        lease.release()
        throw error
      }
    })
  }

  /** What a receiver takes that asks for nothing: no repair, no keyframes, no header extensions. */
  get plainCapabilities(): RtpCapabilities {
    const codecs = (this.#router.rtpCapabilities.codecs ?? []).filter(({ mimeType }) => !mimeType.endsWith('/rtx'))
    return { codecs: codecs.map(codec => ({ ...codec, rtcpFeedback: [] })), headerExtensions: [] }
  }

  /** A new receiving transport for one viewer, who hears through `onFlow` when a line changes what flows. @param granted - What its grant lets flow over a link; null: whatever there is. */
  async createViewerMedia(onFlow: (flow: Flow) => void, granted: GrantedMedia | null = null): Promise<ViewerMedia> {
    const transport = await this.createWebRtcTransport()
    await transport.enableTraceEvent(['bwe'])
    return new ViewerMedia(this.#router, transport, onFlow, granted)
  }

  /** The media half of its voices, made on first use. @throws {RelayFault} `unavailable`. */
  voices(): Promise<RoomVoices> {
    return (this.#voices ??= this.#whileOpen(() => RoomVoices.open(this.#router, () => this.#whileOpen(() => this.#openTransport(this.#router, VOICE_BITRATE)))))
  }

  /** Closes every transport of the room. Idempotent; the first reason wins. */
  close(reason: RelayFault): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#worker.evict(this)
    this.#numbered.close()
    this.#router.close()
    this.#closed.resolve(reason)
  }

  /** @throws {RelayFault} `unavailable` when the room closes, or its worker dies, in the middle. */
  async #whileOpen<Value>(create: () => Promise<Value>): Promise<Value> {
    try {
      return await create()
    } catch (cause) {
      if (this.#isOpen && !this.#worker.worker.closed) throw cause
      throw new RelayFault('unavailable', 'the media room closed', { cause })
    }
  }

  async #openTransport(router: Router, bitrate = { initial: INITIAL_OUTGOING_BITRATE, max: MAX_BITRATE }): Promise<WebRtcTransport> {
    const transport = await router.createWebRtcTransport({
      webRtcServer: this.#worker.webRtcServer,
      enableUdp: true,
      enableTcp: true,
      preferUdp: true,
      iceConsentTimeout: ICE_CONSENT_TIMEOUT_SECONDS,
      initialAvailableOutgoingBitrate: bitrate.initial,
    })
    await Promise.all([transport.setMaxIncomingBitrate(bitrate.max), transport.setMaxOutgoingBitrate(bitrate.max)])
    return transport
  }
}
