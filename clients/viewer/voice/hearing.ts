import type { types } from 'mediasoup-client'
import type { ProducerId } from '../../../relay/wire/ids.ts'
import type { RtpCapabilities } from '../../../relay/wire/webrtc.ts'
import type { NodeVoice } from '../session/connection-part.ts'
import { connectVoice } from './voice-transport.ts'
import type { VoiceConnection } from './voice-transport.ts'

/** What came of one voice. */
export interface HeardVoice {
  readonly producerId: ProducerId
  readonly packetsReceived: number
  /** Grows with what was played. @see W3C webrtc-stats, `RTCInboundRtpStreamStats.totalAudioEnergy` */
  readonly totalAudioEnergy: number
}

/** How voices are played. */
export interface Playing {
  /** 0 to 1. */
  readonly volume: number
  /** Device id of the loudspeaker; empty for the browser's choice. */
  readonly output: string
}

interface Voice {
  readonly consumer: types.Consumer
  readonly element: HTMLAudioElement
}

/** The others' voices, on one receiving transport. */
export class Hearing {
  readonly #node: NodeVoice
  readonly #connection: VoiceConnection
  readonly #voices = new Map<ProducerId, Voice>()
  readonly #onBlocked: () => void
  #playing: Playing

  private constructor(node: NodeVoice, connection: VoiceConnection, playing: Playing, onBlocked: () => void) {
    this.#node = node
    this.#connection = connection
    this.#playing = playing
    this.#onBlocked = onBlocked
  }

  /**
   * @param on - `lost`: it is beyond repair; `blocked`: the browser plays nothing before the person did something.
   * @throws {RelayFault} The node's code, or `unsupported_media`.
   */
  static async open(node: NodeVoice, playing: Playing, on: { readonly lost: () => void; readonly blocked: () => void }, relayOnly: boolean): Promise<Hearing> {
    return new Hearing(node, await connectVoice(node, 'receive', on.lost, { relayOnly }), playing, on.blocked)
  }

  get isClosed(): boolean {
    return this.#connection.transport.closed || this.#connection.transport.connectionState === 'failed'
  }

  /** Exactly these are to be heard. @throws {RelayFault} The node's code. */
  async hear(producerIds: readonly ProducerId[]): Promise<void> {
    for (const [producerId, { consumer, element }] of this.#voices) {
      if (producerIds.includes(producerId)) continue
      consumer.close()
      element.srcObject = null
      this.#voices.delete(producerId)
    }
    const missing = producerIds.filter(producerId => !this.#voices.has(producerId))
    if (missing.length === 0) return
    const { transportId, transport, device } = this.#connection
    const rtpCapabilities = device.recvRtpCapabilities as RtpCapabilities
    const { voices } = await this.#node.ask('hear', { transportId, producerIds: missing, rtpCapabilities })
    for (const { consumerId, producerId, rtpParameters } of voices) {
      const consumer = await transport.consume({ id: consumerId, producerId, kind: 'audio', rtpParameters: rtpParameters as types.RtpParameters })
      const element = new Audio()
      element.srcObject = new MediaStream([consumer.track])
      this.#voices.set(producerId, { consumer, element })
      this.#apply(element)
      this.#start(element)
    }
  }

  /** Plays otherwise from here on. */
  setPlaying(playing: Playing): void {
    this.#playing = playing
    for (const { element } of this.#voices.values()) this.#apply(element)
  }

  /** The person did something: browsers let sound out from here on. */
  start(): void {
    for (const { element } of this.#voices.values()) this.#start(element)
  }

  /** What came of each. */
  async read(): Promise<HeardVoice[]> {
    const report = [...(await this.#connection.transport.getStats()).values()] as Partial<Record<string, unknown>>[]
    const number = (value: unknown): number => (typeof value === 'number' ? value : 0)
    return [...this.#voices].map(([producerId, { consumer }]) => {
      const stats = report.find(({ type, trackIdentifier }) => type === 'inbound-rtp' && trackIdentifier === consumer.track.id)
      return { producerId, packetsReceived: number(stats?.['packetsReceived']), totalAudioEnergy: number(stats?.['totalAudioEnergy']) }
    })
  }

  /** Idempotent. */
  close(): void {
    for (const { element } of this.#voices.values()) element.srcObject = null
    this.#voices.clear()
    this.#connection.transport.close()
  }

  #start(element: HTMLAudioElement): void {
    element.play().catch((error: unknown) => {
      if (error instanceof Error && error.name === 'NotAllowedError') this.#onBlocked()
    })
  }

  #apply(element: HTMLAudioElement): void {
    const { volume, output } = this.#playing
    element.volume = volume
    // A loudspeaker that went away leaves the browser's choice.
    if (canChooseOutput() && element.sinkId !== output) void element.setSinkId(output).catch(() => undefined)
  }
}

/** Whether this browser lets a page choose a loudspeaker. */
export const canChooseOutput = (): boolean => 'setSinkId' in HTMLMediaElement.prototype
