import { createWriteStream } from 'node:fs'
import { performance } from 'node:perf_hooks'
import type { WriteStream } from 'node:fs'

/** What waits for the disk at most; lines beyond it are left out, and the last line says how many. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

/** Milliseconds since the epoch on this process's monotonic clock, as text. */
export const epochMillis = (now = performance.now()): string => (performance.timeOrigin + now).toFixed(3)

/** A text file that a bench reads: one line per event. Writing it never holds up what it tells of. */
export class MeasurementLog implements AsyncDisposable {
  readonly #file: WriteStream
  #omitted = 0

  private constructor(file: WriteStream) {
    this.#file = file
    // A log that cannot be written is no reason to stop.
    file.on('error', () => undefined)
  }

  /** Writes to `path`, replacing what is there. */
  static open(path: string): MeasurementLog {
    return new MeasurementLog(createWriteStream(path))
  }

  write(line: string): void {
    if (this.#file.writableLength > MAX_WAITING_BYTES) this.#omitted++
    else this.#file.write(`${line}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#omitted > 0) this.#file.write(`# ${this.#omitted} omitted\n`)
    await new Promise<void>(resolve => {
      this.#file.once('close', () => resolve())
      this.#file.end()
    })
  }
}
