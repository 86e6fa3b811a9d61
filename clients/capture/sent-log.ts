import { epochMillis, MeasurementLog } from './measurement-log.ts'
import { RTP_HEADER_BYTES } from '../../relay/recordings/rtp-packet.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'
import type { PacedPacket } from './pacer.ts'

interface Departing {
  timestamp: RtpTimestamp
  packets: number
  bytes: number
}

/**
 * Writes down when each frame of each rendition had left, so that a bench can tell what became of it: one line per
 * frame when its last packet was handed to the connection, with the rendition, the RTP timestamp, its packets, their
 * bytes of RTP header and payload, and the time in milliseconds since the epoch on this process's monotonic clock.
 */
export class SentLog implements AsyncDisposable {
  readonly #log: MeasurementLog
  readonly #departing = new Map<RenditionId, Departing>()

  private constructor(log: MeasurementLog) {
    this.#log = log
  }

  /** Writes to `path`, replacing what is there. */
  static open(path: string): SentLog {
    return new SentLog(MeasurementLog.open(path))
  }

  /** A packet was handed to the connection. */
  note({ renditionId, timestamp, marker, payload }: PacedPacket): void {
    let frame = this.#departing.get(renditionId)
    if (frame === undefined) this.#departing.set(renditionId, (frame = { timestamp, packets: 0, bytes: 0 }))
    if (frame.timestamp !== timestamp) {
      // The rest of the frame before was withdrawn.
      frame.timestamp = timestamp
      frame.packets = frame.bytes = 0
    }
    frame.packets++
    frame.bytes += RTP_HEADER_BYTES + payload.length
    if (!marker) return
    this.#log.write(`${renditionId} ${timestamp} ${frame.packets} ${frame.bytes} ${epochMillis()}`)
    frame.packets = frame.bytes = 0
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#log[Symbol.asyncDispose]()
  }
}
