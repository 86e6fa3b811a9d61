import { isRtpNewer } from '../../relay/wire/rtp-clock.ts'
import { epochMillis, MeasurementLog } from './measurement-log.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'

/**
 * Writes down when each image was handed to the sender, so that a bench can tell how long it was on its
 * way: one line per image with its RTP timestamp, its media time in RTP ticks, and the time in
 * milliseconds since the epoch on this process's monotonic clock.
 */
export class FrameLog implements AsyncDisposable {
  readonly #log: MeasurementLog
  #newest: RtpTimestamp | undefined

  private constructor(log: MeasurementLog) {
    this.#log = log
  }

  /** Writes to `path`, replacing what is there. */
  static open(path: string): FrameLog {
    return new FrameLog(MeasurementLog.open(path))
  }

  /** A frame goes to the sender. Only the first one of its image is written down. */
  note(timestamp: RtpTimestamp, mediaTicks: number): void {
    if (this.#newest !== undefined && !isRtpNewer(timestamp, this.#newest)) return
    this.#newest = timestamp
    this.#log.write(`${timestamp} ${mediaTicks} ${epochMillis()}`)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#log[Symbol.asyncDispose]()
  }
}
