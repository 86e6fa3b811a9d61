import { StreamProbe } from './stream-probe.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { RenditionCodec } from '../../relay/wire/pyramid.ts'
import type { MediaRoom } from '../media-room.ts'
import type { StreamShape } from './stream-probe.ts'
import type { Consumer, DirectTransport, Producer } from 'mediasoup/types'

/** How often a stream is looked at anew, in milliseconds. Each look asks for a keyframe. */
const LOOK_EVERY_MILLIS = 10_000
/** How often a look is asked whether it is done, in milliseconds. */
const CHECK_EVERY_MILLIS = 250
/** Bytes of the fixed part of an RTP header. @see RFC 3550 section 5.1 */
const FIXED_HEADER_BYTES = 12

/** Looks into a stream now and then, and says when its size is another one than before. */
export class StreamWatch {
  readonly #transport: DirectTransport
  readonly #consumer: Consumer
  readonly #codec: RenditionCodec
  readonly #clock: Clock
  readonly #onShape: (shape: StreamShape) => void
  readonly #timer: NodeJS.Timeout
  #probe: StreamProbe | undefined
  #nextLook = 0
  #known: StreamShape | undefined

  private constructor(transport: DirectTransport, consumer: Consumer, codec: RenditionCodec, clock: Clock, onShape: (shape: StreamShape) => void) {
    this.#transport = transport
    this.#consumer = consumer
    this.#codec = codec
    this.#clock = clock
    this.#onShape = onShape
    this.#probe = new StreamProbe(codec)
    consumer.on('rtp', packet => this.#take(packet))
    transport.observer.once('close', () => clearInterval(this.#timer))
    this.#timer = setInterval(() => this.#step(), CHECK_EVERY_MILLIS)
  }

  /** @param onShape - Hears the first size, and every other one after it. */
  static async open(room: MediaRoom, producer: Producer, codec: RenditionCodec, clock: Clock, onShape: (shape: StreamShape) => void): Promise<StreamWatch> {
    const transport = await room.createDirectTransport()
    try {
      const consumer = await transport.consume({ producerId: producer.id, rtpCapabilities: room.rtpCapabilities, paused: false })
      return new StreamWatch(transport, consumer, codec, clock, onShape)
    } catch (error) {
      transport.close()
      throw error
    }
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#timer)
    this.#transport.close()
  }

  #take(packet: Buffer): void {
    if (this.#probe === undefined || packet.length < FIXED_HEADER_BYTES) return
    this.#probe.take(payloadOf(packet), packet.readUInt32BE(4), this.#clock.now())
    this.#step()
  }

  #step(): void {
    const now = this.#clock.now()
    if (this.#probe === undefined) {
      if (now < this.#nextLook) return
      this.#probe = new StreamProbe(this.#codec)
      void this.#consumer.resume().catch(() => undefined)
      return
    }
    const shape = this.#probe.conclude(now)
    if (shape === undefined) return
    this.#probe = undefined
    this.#nextLook = now + LOOK_EVERY_MILLIS
    void this.#consumer.pause().catch(() => undefined)
    const known = this.#known
    if (known?.width === shape.width && known.height === shape.height) return
    this.#known = shape
    this.#onShape(shape)
  }
}

/** What follows the header with its CSRCs and extension, without padding. @see RFC 3550 sections 5.1 and 5.3.1 */
function payloadOf(packet: Buffer): Buffer {
  const flags = packet[0] ?? 0
  let start = FIXED_HEADER_BYTES + 4 * (flags & 0x0f)
  if ((flags & 0x10) !== 0 && packet.length >= start + 4) start += 4 + 4 * packet.readUInt16BE(start + 2)
  const padding = (flags & 0x20) !== 0 ? (packet.at(-1) ?? 0) : 0
  return packet.subarray(start, Math.max(start, packet.length - padding))
}
