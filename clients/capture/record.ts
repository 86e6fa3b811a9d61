import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { RecordingWriter } from './recording-writer.ts'
import type { EncodedFrame, SourcePlan } from './encoded-frame.ts'
import type { RecordingManifest } from './recording.ts'

/** What a recorder is told. */
export interface RecordOptions {
  readonly plan: SourcePlan
  /** The directory that becomes the recording. */
  readonly output: string
  readonly seconds: number
  /** Called with the frames that are complete in all renditions, whenever there are more. */
  readonly onProgress?: (frames: number, of: number) => void
}

/**
 * Encodes a stretch of a source into a recording, by the same way that live frames take.
 *
 * @throws {RelayFault} `bad_rtp` when a packet was lost on the way: a recording is whole or none;
 *   what the source ended with, when it ended too early.
 */
export async function recordSource(options: RecordOptions, signal: AbortSignal): Promise<RecordingManifest> {
  const { plan, seconds } = options
  const frameCount = Math.max(1, Math.round(seconds * plan.pyramid.framesPerSecond))
  await using writer = await RecordingWriter.open(options.output, plan.pyramid, frameCount)
  const finished = Promise.withResolvers<undefined>()
  let progress = 0
  const onFrame = (frame: EncodedFrame): void => {
    try {
      writer.append(frame)
    } catch (error) {
      finished.reject(toFault(error))
    }
    if (writer.progress === progress) return
    progress = writer.progress
    options.onProgress?.(progress, frameCount)
    if (writer.isComplete) finished.resolve(undefined)
  }
  await using source = await plan.open(onFrame, signal)
  const ended = source.closed.then(end => {
    if (end.code === 'failed') throw end.fault
    // A source that ended by itself may have given all that was asked for; the writer knows.
    if (signal.aborted) throw new RelayFault('unavailable', 'the recording was stopped')
  })
  await Promise.race([finished.promise, ended])
  await source.close()
  return await writer.finish()
}
