import { Device } from 'mediasoup-client'
import type { types } from 'mediasoup-client'
import type { IceServer, RtpCapabilities } from '../../../relay/wire/webrtc.ts'
import { selectedPair } from '../session/media-path.ts'
import type { ProbeSession } from './probe-session.ts'

/** A way that has not connected by then does not. */
const CONNECT_PATIENCE_MS = 8000

/** By which way a probe goes. */
export type ProbedWay = 'udp' | 'tcp' | 'relay'

/** What of a synthetic load arrived, from one reading to another. */
export interface ProbeReading {
  readonly atMs: number
  readonly bytes: number
  readonly packets: number
  readonly lost: number
  readonly roundTripMs: number | null
}

/** What a probe sends itself. */
export interface ProbeLoad {
  readonly bitsPerSecond: number
  readonly seconds: number
}

/** A receiving transport that goes by one way alone, with a synthetic load on it. */
export class LineProbe implements Disposable {
  /** Relays that the node names. */
  readonly iceServers: readonly IceServer[]
  readonly isConnected: boolean
  readonly #transport: types.Transport
  readonly #consumer: types.Consumer | undefined

  private constructor(transport: types.Transport, consumer: types.Consumer | undefined, isConnected: boolean, iceServers: readonly IceServer[]) {
    this.#transport = transport
    this.#consumer = consumer
    this.isConnected = isConnected
    this.iceServers = iceServers
  }

  /** Tries one way. Whether it connects, `isConnected` says. @throws {RelayFault} The node's code. */
  static async open({ client }: ProbeSession, way: ProbedWay, load: ProbeLoad): Promise<LineProbe> {
    const [device, offer] = await Promise.all([Device.factory(), client.request('createTransport', {})])
    await device.load({ routerRtpCapabilities: offer.routerRtpCapabilities as types.RtpCapabilities })
    const { transportId, iceParameters, dtlsParameters, iceServers } = offer
    const iceCandidates = offer.iceCandidates.filter(({ protocol }) => protocol === (way === 'tcp' ? 'tcp' : 'udp'))
    const ice = way === 'relay' ? { iceServers, iceTransportPolicy: 'relay' } : {}
    const transport = device.createRecvTransport({ id: transportId, iceParameters, iceCandidates, dtlsParameters, ...ice } as types.TransportOptions)
    if (way === 'relay' && iceServers.length === 0) return new LineProbe(transport, undefined, false, iceServers)
    transport.on('connect', ({ dtlsParameters: own }, done, failed) => {
      client.request('connectTransport', { transportId, dtlsParameters: own }).then(done, failed)
    })
    try {
      const connected = untilConnected(transport)
      const rtpCapabilities = device.recvRtpCapabilities as RtpCapabilities
      const { consumerId, producerId, rtpParameters } = await client.request('loadTransport', { transportId, rtpCapabilities, ...load })
      const consumer = await transport.consume({ id: consumerId, producerId, kind: 'video', rtpParameters: rtpParameters as types.RtpParameters })
      return new LineProbe(transport, consumer, await connected, iceServers)
    } catch (error) {
      transport.close()
      throw error
    }
  }

  /** What arrived until now. */
  async read(): Promise<ProbeReading> {
    const report = [...(await this.#transport.getStats()).values()] as Partial<Record<string, unknown>>[]
    const stream = report.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video')
    const number = (name: string): number => (typeof stream?.[name] === 'number' ? stream[name] : 0)
    const roundTrip = selectedPair(report)?.['currentRoundTripTime']
    return {
      atMs: performance.now(),
      bytes: number('bytesReceived') + number('headerBytesReceived'),
      packets: number('packetsReceived'),
      lost: number('packetsLost'),
      roundTripMs: typeof roundTrip === 'number' ? roundTrip * 1000 : null,
    }
  }

  [Symbol.dispose](): void {
    this.#consumer?.close()
    this.#transport.close()
  }
}

function untilConnected(transport: types.Transport): Promise<boolean> {
  const settled = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => settled.resolve(false), CONNECT_PATIENCE_MS)
  transport.on('connectionstatechange', state => {
    if (state === 'connected') settled.resolve(true)
    if (state === 'failed' || state === 'closed') settled.resolve(false)
  })
  return settled.promise.finally(() => clearTimeout(timer))
}
