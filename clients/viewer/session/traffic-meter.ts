import { bitsPerSecond, bytes, millis } from '../../../relay/wire/units.ts'
import type { MediaPath } from '../../../relay/wire/signaling.ts'
import type { BitsPerSecond, Bytes, Millis } from '../../../relay/wire/units.ts'
import { readMediaPath, selectedPair } from './media-path.ts'

/** What one reading of a connection's statistics says, summed over its tracks. */
export interface TrafficReading {
  /** RTP payload and headers, retransmissions included. */
  readonly bytes: Bytes
  readonly packetsReceived: number
  readonly packetsLost: number
  readonly roundTripSeconds: number | null
  readonly decoders: readonly string[]
  /** The SRTP protection profile in use, as registered with IANA. @see RFC 5764 section 4.1.2, RFC 7714 section 14.2 */
  readonly srtpCipher: string | null
  /** By which way media comes; null before there is one. */
  readonly mediaPath: MediaPath | null
}

/** How much comes in, and how well. */
export interface Traffic {
  readonly bitsPerSecondReceived: BitsPerSecond
  /** Since the page was opened. */
  readonly bytesReceived: Bytes
  readonly roundTripSeconds: number | null
  /** Packets lost over packets expected, in the last interval; 0 to 1. */
  readonly lossRatio: number
  readonly decoders: readonly string[]
  /** The SRTP protection profile in use, as registered with IANA. @see RFC 5764 section 4.1.2, RFC 7714 section 14.2 */
  readonly srtpCipher: string | null
  /** By which way media comes; null before there is one. */
  readonly mediaPath: MediaPath | null
}

const NO_READING: TrafficReading = { bytes: bytes(0), packetsReceived: 0, packetsLost: 0, roundTripSeconds: null, decoders: [], srtpCipher: null, mediaPath: null }

/**
 * Sums a statistics report.
 *
 * @see W3C webrtc-stats, `RTCInboundRtpStreamStats`, `RTCIceCandidatePairStats` and `RTCTransportStats`
 */
export function readTraffic(report: Iterable<unknown>): TrafficReading {
  let [received, packetsReceived, packetsLost] = [0, 0, 0]
  let roundTripSeconds: number | null = null
  let srtpCipher: string | null = null
  const decoders = new Set<string>()
  const all = [...report] as Partial<Record<string, unknown>>[]
  const selected = selectedPair(all)
  if (typeof selected?.['currentRoundTripTime'] === 'number') roundTripSeconds = selected['currentRoundTripTime']
  for (const stats of all) {
    const number = (name: string): number => (typeof stats[name] === 'number' ? stats[name] : 0)
    if (stats['type'] === 'inbound-rtp') {
      received += number('bytesReceived') + number('headerBytesReceived')
      packetsReceived += number('packetsReceived')
      packetsLost += number('packetsLost')
      if (typeof stats['decoderImplementation'] === 'string') decoders.add(stats['decoderImplementation'])
    } else if (stats['type'] === 'transport' && typeof stats['srtpCipher'] === 'string') {
      srtpCipher = stats['srtpCipher']
    }
  }
  return { bytes: bytes(received), packetsReceived, packetsLost, roundTripSeconds, decoders: [...decoders].sort(), srtpCipher, mediaPath: readMediaPath(all) }
}

/** Turns readings of one connection after another into rates. Reads no clock. */
export class TrafficMeter {
  #last = NO_READING
  #lastAt: Millis | undefined
  /** Bytes of connections that are over. */
  #earlier = 0

  /** The next reading will be that of a new connection, which counts from zero. */
  newConnection(): void {
    this.#earlier += this.#last.bytes
    this.#last = NO_READING
    this.#lastAt = undefined
  }

  take(reading: TrafficReading, now: Millis): Traffic {
    const seconds = this.#lastAt === undefined ? 0 : (now - this.#lastAt) / 1000
    const lost = Math.max(0, reading.packetsLost - this.#last.packetsLost)
    const received = Math.max(0, reading.packetsReceived - this.#last.packetsReceived)
    const bits = Math.max(0, reading.bytes - this.#last.bytes) * 8
    this.#last = reading
    this.#lastAt = millis(now)
    return {
      bitsPerSecondReceived: bitsPerSecond(seconds > 0 ? bits / seconds : 0),
      bytesReceived: bytes(this.#earlier + reading.bytes),
      roundTripSeconds: reading.roundTripSeconds,
      lossRatio: lost + received > 0 ? lost / (lost + received) : 0,
      decoders: reading.decoders,
      srtpCipher: reading.srtpCipher,
      mediaPath: reading.mediaPath,
    }
  }
}
