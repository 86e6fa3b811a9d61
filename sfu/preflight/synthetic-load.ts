import { randomInt } from 'node:crypto'
import type { Millis } from '../../relay/wire/units.ts'
import type { DirectTransport, Producer } from 'mediasoup/types'

const PAYLOAD_TYPE = 96
const RTP_HEADER_BYTES = 12
const PACKET_BYTES = 1200
const FRAMES_PER_SECOND = 30
const TICKS_PER_FRAME = 90_000 / FRAMES_PER_SECOND
/** First bytes of a frame's first packet, and of its others: a consumer lets nothing through before what looks like a keyframe. @see RFC 6184 section 1.3 */
const [PARAMETER_SET_NAL, SLICE_NAL] = [0x67, 0x41]
/** A process that was not run for long makes up for no more than this. */
const MOST_FRAMES_AT_ONCE = 2

/** RTP packets in bursts as large as the frames of so much video are, and no picture in them. */
export class SyntheticLoad implements Disposable {
  readonly producer: Producer
  readonly #transport: DirectTransport
  readonly #packetsPerFrame: number
  readonly #frames: number
  #sequenceNumber = randomInt(0x8000)
  #sentFrames = 0
  #owed = 0
  #timer: NodeJS.Timeout | undefined

  private constructor(transport: DirectTransport, producer: Producer, bitsPerSecond: number, seconds: number) {
    this.#transport = transport
    this.producer = producer
    this.#packetsPerFrame = bitsPerSecond / FRAMES_PER_SECOND / 8 / PACKET_BYTES
    this.#frames = Math.round(seconds * FRAMES_PER_SECOND)
  }

  /** Takes the transport over. */
  static async open(transport: DirectTransport, bitsPerSecond: number, seconds: number): Promise<SyntheticLoad> {
    try {
      const parameters = { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 }
      const codecs = [{ mimeType: 'video/H264', payloadType: PAYLOAD_TYPE, clockRate: 90_000, parameters, rtcpFeedback: [] }]
      const producer = await transport.produce({ kind: 'video', rtpParameters: { codecs, encodings: [{ ssrc: randomInt(1, 0xffff_ffff) }] } })
      return new SyntheticLoad(transport, producer, bitsPerSecond, seconds)
    } catch (error) {
      transport.close()
      throw error
    }
  }

  /** Sends from now on, to its end. @param now - By a steady clock. @param onEnd - Called once it has ended by itself. */
  start(now: () => Millis, onEnd: () => void): void {
    const beganAt = now()
    this.#timer = setInterval(() => {
      const due = Math.min(this.#frames, Math.floor(((now() - beganAt) * FRAMES_PER_SECOND) / 1000))
      // What is owed from a pause is not sent at once: that would be another load.
      this.#sentFrames = Math.max(this.#sentFrames, due - MOST_FRAMES_AT_ONCE)
      while (this.#sentFrames < due) this.#sendFrame()
      if (this.#sentFrames < this.#frames) return
      this[Symbol.dispose]()
      onEnd()
    }, 1000 / FRAMES_PER_SECOND / 2)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#transport.close()
  }

  #sendFrame(): void {
    this.#owed += this.#packetsPerFrame
    for (let isFirst = true; this.#owed >= 1; this.#owed--, isFirst = false) this.#sendPacket(isFirst, this.#owed < 2)
    this.#sentFrames++
  }

  #sendPacket(isFirst: boolean, isLast: boolean): void {
    const packet = Buffer.alloc(PACKET_BYTES)
    packet[0] = 0x80
    packet[1] = PAYLOAD_TYPE | (isLast ? 0x80 : 0)
    packet.writeUInt16BE(this.#sequenceNumber++ & 0xffff, 2)
    packet.writeUInt32BE((this.#sentFrames * TICKS_PER_FRAME) >>> 0, 4)
    packet.writeUInt32BE(this.producer.rtpParameters.encodings?.[0]?.ssrc ?? 0, 8)
    packet[RTP_HEADER_BYTES] = isFirst ? PARAMETER_SET_NAL : SLICE_NAL
    if (!this.producer.closed) this.producer.send(packet)
  }
}
