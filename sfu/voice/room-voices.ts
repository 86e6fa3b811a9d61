import { ConsumerId, ProducerId, TransportId } from '../../relay/wire/ids.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { VOICE_LIMITS } from '../../relay/wire/signaling.ts'
import type { ReplyData, VoiceOffer } from '../../relay/wire/signaling.ts'
import type { DtlsParameters as WireDtlsParameters, RtpCapabilities as WireRtpCapabilities, RtpParameters as WireRtpParameters } from '../../relay/wire/webrtc.ts'
import type { AudioLevelObserver, DtlsParameters, Producer, Router, RtpCapabilities, RtpParameters, WebRtcTransport } from 'mediasoup/types'

/** What is above this was said, in dBov. @see RFC 6464 section 3 */
const SPEECH_THRESHOLD = -50
/** Levels are read this often. mediasoup takes no less. */
const LEVEL_INTERVAL_MILLIS = 250

/** The media half of one room's voices: transports, and how loud each voice is. Ends with its router. */
export class RoomVoices {
  readonly #router: Router
  readonly #levels: AudioLevelObserver
  readonly #openTransport: () => Promise<WebRtcTransport>

  private constructor(router: Router, levels: AudioLevelObserver, openTransport: () => Promise<WebRtcTransport>) {
    this.#router = router
    this.#levels = levels
    this.#openTransport = openTransport
  }

  /** @throws mediasoup's own error when the router closes meanwhile. */
  static async open(router: Router, openTransport: () => Promise<WebRtcTransport>): Promise<RoomVoices> {
    const levels = await router.createAudioLevelObserver({ maxEntries: VOICE_LIMITS.speakers, threshold: SPEECH_THRESHOLD, interval: LEVEL_INTERVAL_MILLIS })
    return new RoomVoices(router, levels, openTransport)
  }

  /** @param listener - Called with those that are loud, four times a second while anybody is. */
  onLoud(listener: (producerIds: readonly ProducerId[]) => void): void {
    this.#levels.on('volumes', volumes => listener(volumes.map(({ producer }) => ProducerId.parse(producer.id))))
  }

  /** @throws {RelayFault} `unavailable`. */
  async createTransport(): Promise<VoiceTransport> {
    return new VoiceTransport(this.#router, this.#levels, await this.#openTransport())
  }
}

/** One WebRTC connection that carries voices one way. It closes by itself when the far end is gone. */
export class VoiceTransport {
  readonly id: TransportId
  readonly #router: Router
  readonly #levels: AudioLevelObserver
  readonly #transport: WebRtcTransport
  readonly #closed = Promise.withResolvers<undefined>()
  #voice: Producer | undefined
  #isConnected = false

  constructor(router: Router, levels: AudioLevelObserver, transport: WebRtcTransport) {
    this.#router = router
    this.#levels = levels
    this.#transport = transport
    this.id = TransportId.parse(transport.id)
    transport.observer.once('close', () => this.#closed.resolve(undefined))
    transport.on('dtlsstatechange', state => {
      if (state === 'failed' || state === 'closed') transport.close()
    })
    transport.on('icestatechange', state => {
      if (state === 'disconnected' || state === 'closed') transport.close()
    })
  }

  /** Settles once. Never rejects. */
  get closed(): Promise<undefined> {
    return this.#closed.promise
  }

  get isClosed(): boolean {
    return this.#transport.closed
  }

  /** What a browser needs to build its half. */
  describe(): Omit<ReplyData<'createVoiceTransport'>, 'iceServers'> {
    const { iceParameters, iceCandidates, dtlsParameters } = this.#transport
    return { transportId: this.id, routerRtpCapabilities: this.#router.rtpCapabilities, iceParameters, iceCandidates, dtlsParameters } as ReturnType<VoiceTransport['describe']>
  }

  /** @throws {RelayFault} `wrong_state` the second time. */
  async connect(dtlsParameters: WireDtlsParameters): Promise<void> {
    if (this.#isConnected) throw new RelayFault('wrong_state', 'the voice transport is connected already')
    this.#isConnected = true
    await this.#transport.connect({ dtlsParameters: dtlsParameters as DtlsParameters })
  }

  /**
   * Takes one voice in.
   *
   * @throws {RelayFault} `wrong_state` the second time; `unsupported_media` for anything but one stream of Opus.
   */
  async speak(wireParameters: WireRtpParameters, isMicrophoneOpen: boolean): Promise<ProducerId> {
    if (this.#voice !== undefined) throw new RelayFault('wrong_state', 'this transport carries a voice already')
    if (!isOneOpus(wireParameters)) throw new RelayFault('unsupported_media', 'a voice is one stream of Opus')
    try {
      // Whether the rest makes sense is checked by mediasoup.
      this.#voice = await this.#transport.produce({ kind: 'audio', rtpParameters: wireParameters as RtpParameters, paused: !isMicrophoneOpen })
    } catch (cause) {
      throw new RelayFault('unsupported_media', 'these RTP parameters cannot be taken', { cause })
    }
    const producerId = this.#voice.id
    await this.#levels.addProducer({ producerId }).catch((cause: unknown) => {
      throw new RelayFault('unavailable', 'the voice ended meanwhile', { cause })
    })
    return ProducerId.parse(producerId)
  }

  /** Passes its voice on, or nothing of it. */
  async setOpen(isOpen: boolean): Promise<void> {
    if (this.#voice === undefined || this.#voice.closed) return
    await (isOpen ? this.#voice.resume() : this.#voice.pause())
  }

  /**
   * Gives one voice out.
   *
   * @returns Undefined when there is no such voice any more.
   * @throws {RelayFault} `unsupported_media` when these capabilities have no Opus, or make no sense.
   */
  async hear(producerId: ProducerId, wireCapabilities: WireRtpCapabilities): Promise<VoiceOffer | undefined> {
    const rtpCapabilities = wireCapabilities as RtpCapabilities
    try {
      if (!this.#router.canConsume({ producerId, rtpCapabilities })) throw new Error('no common codec')
      const { id, rtpParameters } = await this.#transport.consume({ producerId, rtpCapabilities })
      return { consumerId: ConsumerId.parse(id), producerId, rtpParameters }
    } catch (cause) {
      if (this.isClosed) throw new RelayFault('wrong_state', 'that voice transport is closed', { cause })
      throw new RelayFault('unsupported_media', 'voices cannot be heard with these RTP capabilities', { cause })
    }
  }

  /** What comes in on it now, in bits per second. */
  async incomingBitrate(): Promise<number> {
    if (this.isClosed) return 0
    const [stats] = await this.#transport.getStats()
    return stats?.recvBitrate ?? 0
  }

  /** Idempotent. */
  close(): void {
    this.#transport.close()
  }
}

function isOneOpus({ codecs, encodings }: WireRtpParameters): boolean {
  const [codec] = codecs
  return codecs.length === 1 && codec?.mimeType.toLowerCase() === 'audio/opus' && codec.clockRate === 48_000 && (encodings?.length ?? 1) === 1
}
