import { parse, write } from 'sdp-transform'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { isRtcp } from '../../relay/recordings/rtp-packet.ts'
import { MediaPeer } from '../receiver/media-peer.ts'
import type { EngineOffer } from './fanout-engine.ts'
import type { RtpSink } from './rtp-sink.ts'

const CONNECT_DEADLINE = millis(10_000)

/**
 * One viewer: libdatachannel does ICE and DTLS by way of the sink, which counts what comes and lets the library
 * decrypt only as much as a sample takes.
 */
export class FanoutViewer implements Disposable {
  readonly #peer: MediaPeer
  readonly #count: { decrypted: number }

  private constructor(peer: MediaPeer, count: { decrypted: number }) {
    this.#peer = peer
    this.#count = count
  }

  /** @throws {RelayFault} `timeout` or `unavailable` when the connection does not come about. */
  static async open(offer: EngineOffer, sink: RtpSink, index: number): Promise<FanoutViewer> {
    const ports = sink.ports[index]
    if (ports === undefined) throw new Error('the sink has fewer viewers')
    const { sdp, ip, port } = redirectOffer(offer.sdp, ports.inner)
    sink.setEngine(index, ip, port)
    const count = { decrypted: 0 }
    const peer = await MediaPeer.open({ offer: sdp, onPacket: (_, packet) => {
      if (!isRtcp(packet)) count.decrypted++
    } })
    try {
      await offer.accept(redirectAnswer(peer.answer, ports.outer))
      await connectedWithin(peer)
      return new FanoutViewer(peer, count)
    } catch (error) {
      peer.close()
      throw error
    }
  }

  /** RTP packets that the library decrypted and authenticated since the last call. */
  takeDecrypted(): number {
    const { decrypted } = this.#count
    this.#count.decrypted = 0
    return decrypted
  }

  [Symbol.dispose](): void {
    this.#peer.close()
  }
}

/** Settles when media can flow. @throws {RelayFault} `timeout` or `unavailable`. */
export async function connectedWithin(peer: MediaPeer): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new RelayFault('timeout', 'a viewer could not connect')), CONNECT_DEADLINE)
  try {
    await Promise.race([peer.connected, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** An offer whose only candidate is the sink, and where the SFU really is. */
export function redirectOffer(sdp: string, innerPort: number): { readonly sdp: string; readonly ip: string; readonly port: number } {
  const session = parse(sdp)
  const candidate = session.media.flatMap(({ candidates }) => candidates ?? []).find(({ transport, ip, component }) => transport.toLowerCase() === 'udp' && component === 1 && !ip.includes(':'))
  if (candidate === undefined) throw new RelayFault('unsupported_media', 'an offer without an IPv4 candidate')
  for (const media of session.media) media.candidates = [{ ...candidate, ip: '127.0.0.1', port: innerPort }]
  return { sdp: write(session), ip: candidate.ip, port: candidate.port }
}

/** An answer whose only candidate is the sink. */
export function redirectAnswer(sdp: string, outerPort: number): string {
  const session = parse(sdp)
  for (const media of session.media) media.candidates = [{ foundation: '1', component: 1, transport: 'UDP', priority: 2_122_252_543, ip: '127.0.0.1', port: outerPort, type: 'host' }]
  return write(session)
}
