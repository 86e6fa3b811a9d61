import type { FanoutSchedule } from '../fanout/fanout-schedule.ts'

/** Payload type of every track. */
export const PAYLOAD_TYPE = 102
/** SSRC of the first track; the others follow. */
export const FIRST_SSRC = 1000
const HEADER_BYTES = 12
const CLOCK_RATE = 90_000
const MARKER = 0x80
/** First bytes of H.264 payloads: of an SPS, by which the node knows a keyframe, and of a slice. @see RFC 6184 section 5.2 */
const [KEY_FRAME, SLICE] = [0x67, 0x61]

/** A packet that is due. Its buffer is overwritten by the next loop. */
export interface DuePacket {
  readonly track: number
  readonly packet: Buffer
}

/** RTP of one shape, again and again. Decides without I/O. */
export class RtpLoop {
  readonly #schedule: FanoutSchedule
  readonly #packets: readonly Buffer[]
  readonly #sequence: number[]
  #next = 0
  #loop = 0

  constructor(schedule: FanoutSchedule) {
    this.#schedule = schedule
    this.#sequence = schedule.tracks.map(() => 0)
    this.#packets = schedule.packets.map(({ track, payloadBytes, beginsKeyFrame, endsFrame }) => {
      const packet = Buffer.alloc(HEADER_BYTES + payloadBytes, 0x55)
      packet[0] = 0x80
      packet[1] = PAYLOAD_TYPE | (endsFrame ? MARKER : 0)
      packet.writeUInt32BE(FIRST_SSRC + track, 8)
      packet[HEADER_BYTES] = beginsKeyFrame ? KEY_FRAME : SLICE
      return packet
    })
  }

  /** The RTP timestamp of what is due after so long. */
  timestampAt(elapsedMillis: number): number {
    return Math.floor((elapsedMillis * CLOCK_RATE) / 1000) >>> 0
  }

  /** Everything that is due after so long, in order. */
  *due(elapsedMillis: number): Generator<DuePacket> {
    const { packets, loopMicros } = this.#schedule
    for (;;) {
      const scheduled = packets[this.#next]
      const packet = this.#packets[this.#next]
      if (scheduled === undefined || packet === undefined) {
        this.#next = 0
        this.#loop++
        continue
      }
      const atMillis = (this.#loop * loopMicros + scheduled.atMicros) / 1000
      if (atMillis > elapsedMillis) return
      const { track } = scheduled
      const sequence = this.#sequence[track] ?? 0
      this.#sequence[track] = (sequence + 1) & 0xffff
      packet.writeUInt16BE(sequence, 2)
      packet.writeUInt32BE(this.timestampAt(atMillis), 4)
      this.#next++
      yield { track, packet }
    }
  }
}
