import { millis } from '../../relay/wire/units.ts'
import { imageTicks } from './recording.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { EncodedFrame, FrameSource, SourceEnd } from './encoded-frame.ts'
import type { Recording } from './recording.ts'

/** How a recording is replayed. */
export interface ReplayOptions {
  readonly recording: Recording
  readonly clock: Clock
  /** Begin again at the end, for ever. */
  readonly isLooped: boolean
}

/** A replay that falls behind by more than this, because the machine slept, goes on from now instead of hurrying. */
const MAX_LAG_FRAMES = 4

/** Replays a recording in real time, without encoding anything. */
export class RecordingSource implements FrameSource {
  readonly #options: ReplayOptions
  readonly #abort = new AbortController()
  readonly #closed: Promise<SourceEnd>

  private constructor(options: ReplayOptions, onFrame: (frame: EncodedFrame) => void, signal: AbortSignal) {
    this.#options = options
    const stop = AbortSignal.any([signal, this.#abort.signal])
    this.#closed = this.#play(onFrame, stop).catch((error: unknown): SourceEnd => {
      if (stop.aborted) return { code: 'done' }
      throw error
    })
  }

  /** Starts the replay. */
  static open(options: ReplayOptions, onFrame: (frame: EncodedFrame) => void, signal: AbortSignal): RecordingSource {
    return new RecordingSource(options, onFrame, signal)
  }

  get closed(): Promise<SourceEnd> {
    return this.#closed
  }

  async close(): Promise<void> {
    this.#abort.abort()
    await this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #play(onFrame: (frame: EncodedFrame) => void, stop: AbortSignal): Promise<SourceEnd> {
    const { recording, clock, isLooped } = this.#options
    const { framesPerSecond } = recording.pyramid
    const interval = 1000 / framesPerSecond
    let due: number = clock.now()
    for (let played = 0; isLooped || played < recording.images.length; played++) {
      const now = clock.now()
      due = Math.max(due, now - MAX_LAG_FRAMES * interval)
      if (due > now) await clock.sleep(millis(due - now), stop)
      stop.throwIfAborted()
      const mediaTicks = imageTicks(played, framesPerSecond)
      for (const frame of recording.images[played % recording.images.length] ?? []) onFrame({ ...frame, mediaTicks })
      due += interval
    }
    return { code: 'ended' }
  }
}
