import type { types } from 'mediasoup-client'
import { toFault } from '../../../relay/wire/fault.ts'
import { ProducerId } from '../../../relay/wire/ids.ts'
import type { NodeVoice } from '../session/connection-part.ts'
import { connectVoice } from './voice-transport.ts'
import type { VoiceConnection } from './voice-transport.ts'

/** The person's own voice, on one sending transport. The track is the caller's. */
export class Speaking {
  readonly producerId: ProducerId
  /** What the node was told last of the microphone. */
  toldOpen: boolean
  /** The node named it among the voices. */
  isListed = false
  readonly #connection: VoiceConnection
  readonly #producer: types.Producer

  private constructor(connection: VoiceConnection, producer: types.Producer, toldOpen: boolean) {
    this.#connection = connection
    this.#producer = producer
    this.producerId = ProducerId.parse(producer.id)
    this.toldOpen = toldOpen
  }

  /** @throws {RelayFault} The node's code, or `unsupported_media`. */
  static async open(node: NodeVoice, track: MediaStreamTrack, onLost: () => void, relayOnly: boolean): Promise<Speaking> {
    let toldOpen = track.enabled
    const connection = await connectVoice(node, 'send', onLost, { isOpen: () => (toldOpen = track.enabled), relayOnly })
    try {
      // Speech: one channel, loss made up for in-band. What is said while the microphone is closed never becomes packets of sound.
      const producer = await connection.transport.produce({ track, stopTracks: false, disableTrackOnPause: false, codecOptions: { opusStereo: false, opusFec: true, opusDtx: true } })
      return new Speaking(connection, producer, toldOpen)
    } catch (error) {
      connection.transport.close()
      throw toFault(error)
    }
  }

  get isClosed(): boolean {
    return this.#connection.transport.closed || this.#connection.transport.connectionState === 'failed'
  }

  /** Another microphone. */
  async replace(track: MediaStreamTrack): Promise<void> {
    await this.#producer.replaceTrack({ track })
  }

  /** Idempotent. */
  close(): void {
    this.#connection.transport.close()
  }
}
