import { createWriteStream } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { isRtpNewer } from '../../relay/wire/rtp-clock.ts'
import type { WriteStream } from 'node:fs'
import type { RtpTimestamp } from '../../relay/wire/units.ts'

/** Lines that wait for the disk at most; more are left out, and the last line says how many. */
const MAX_WAITING_BYTES = 1024 * 1024

/**
 * Writes down when each image was handed to the sender, so that a bench can tell how long it was on its
 * way: one line per image with its RTP timestamp, its media time in RTP ticks, and the time in
 * milliseconds since the epoch on this process's monotonic clock.
 */
export class FrameLog implements AsyncDisposable {
  readonly #file: WriteStream
  #newest: RtpTimestamp | undefined
  #omitted = 0

  private constructor(file: WriteStream) {
    this.#file = file
    // A log that cannot be written is no reason to stop sending.
    file.on('error', () => undefined)
  }

  /** Writes to `path`, replacing what is there. */
  static open(path: string): FrameLog {
    return new FrameLog(createWriteStream(path))
  }

  /** A frame goes to the sender. Only the first one of its image is written down. */
  note(timestamp: RtpTimestamp, mediaTicks: number): void {
    if (this.#newest !== undefined && !isRtpNewer(timestamp, this.#newest)) return
    this.#newest = timestamp
    if (this.#file.writableLength > MAX_WAITING_BYTES) this.#omitted++
    else this.#file.write(`${timestamp} ${mediaTicks} ${(performance.timeOrigin + performance.now()).toFixed(3)}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#omitted > 0) this.#file.write(`# ${this.#omitted} omitted\n`)
    await new Promise<void>(resolve => {
      this.#file.once('close', () => resolve())
      this.#file.end()
    })
  }
}
