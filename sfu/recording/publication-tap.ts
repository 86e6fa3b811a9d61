import type { RenditionId } from '../../relay/wire/ids.ts'
import type { DirectTransport, Producer, RtpCapabilities } from 'mediasoup/types'

/** Where a publication's packets can be had. */
export interface TappedRoom {
  createDirectTransport(): Promise<DirectTransport>
  readonly plainCapabilities: RtpCapabilities
}

/**
 * Hands every RTP packet of a publication that reaches the node to this process, repaired ones among
 * them. It asks for nothing: what nobody watches does not flow, and is not handed over. Ends with its
 * producers' room, or by {@link close}.
 */
export class PublicationTap {
  readonly #transport: DirectTransport

  private constructor(transport: DirectTransport) {
    this.#transport = transport
  }

  /** @throws {RelayFault} `unavailable` when the room is gone. */
  static async open(room: TappedRoom, producers: ReadonlyMap<RenditionId, Producer>, onPacket: (id: RenditionId, packet: Buffer) => void): Promise<PublicationTap> {
    const transport = await room.createDirectTransport()
    const tap = new PublicationTap(transport)
    const consuming = [...producers].map(async ([id, { id: producerId }]) => {
      const consumer = await transport.consume({ producerId, rtpCapabilities: room.plainCapabilities })
      consumer.on('rtp', packet => onPacket(id, packet))
    })
    try {
      await Promise.all(consuming)
      return tap
    } catch (error) {
      tap.close()
      throw error
    }
  }

  /** Idempotent. */
  close(): void {
    this.#transport.close()
  }
}
