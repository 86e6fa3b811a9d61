import { epochMillis, MeasurementLog } from '../../clients/capture/measurement-log.ts'
import type { ArrivedFrame } from './frame-judge.ts'

/**
 * Writes down what came of each frame, for whoever has the sender's log (`SentLog`): one line per frame with the
 * rendition, the RTP timestamp, the packets that came, and when the last of them did, in milliseconds since the epoch
 * on this process's monotonic clock. A line is on the disk soon after it was written; nobody has to close the log.
 */
export class ArrivalLog {
  readonly #log: MeasurementLog

  private constructor(log: MeasurementLog) {
    this.#log = log
  }

  /** Writes to `path`, replacing what is there. */
  static open(path: string): ArrivalLog {
    return new ArrivalLog(MeasurementLog.open(path))
  }

  note({ renditionId, timestamp, packets, lastAt }: ArrivedFrame): void {
    this.#log.write(`${renditionId} ${timestamp} ${packets} ${epochMillis(lastAt)}`)
  }
}
