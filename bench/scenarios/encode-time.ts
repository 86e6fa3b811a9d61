import { Readable } from 'node:stream'
import { FfmpegEncoder } from '../../clients/capture/ffmpeg-encoder.ts'
import { findFfmpeg } from '../../clients/capture/ffmpeg-binaries.ts'
import { PatternCard } from '../../clients/capture/pattern.ts'
import { encoderSettings, SourceSettings } from '../../clients/capture/settings.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { millis, VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'

const TILE = { width: 1280, height: 720 }
const FRAMES_PER_SECOND = 5

/**
 * How long one tile takes to encode: a single frame at a time, with an overview of the smallest size beside
 * it, which the encoder cannot do without.
 *
 * @returns Seconds, one for each frame.
 */
export async function measureEncoding(frames: number, signal: AbortSignal): Promise<number[]> {
  const settings = SourceSettings.parse({})
  const pyramid = planPyramid({ ...TILE, columns: 1, rows: 1, framesPerSecond: FRAMES_PER_SECOND, overviewWidth: 64 })
  const card = new PatternCard({ ...TILE, columns: 1, rows: 1 })
  const drawnAt: number[] = []
  async function* draw(stop: AbortSignal): AsyncGenerator<Buffer> {
    for (let number = 0; number <= frames; number++) {
      const frame = Buffer.from(card.draw(number))
      drawnAt.push(systemClock.now())
      yield frame
      await systemClock.sleep(millis(1000 / FRAMES_PER_SECOND), stop)
    }
  }
  const seconds: number[] = []
  const done = Promise.withResolvers<undefined>()
  const { ffmpeg } = await findFfmpeg(settings)
  await using encoder = await FfmpegEncoder.open(
    {
      pyramid,
      input: {
        open: stop => ({
          source: Readable.from(draw(stop), { highWaterMark: 1 }),
          options: ['-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', `${TILE.width}x${TILE.height}`, '-framerate', String(FRAMES_PER_SECOND)],
        }),
        filters: 'null',
      },
      ringFrames: 0,
      settings: encoderSettings(settings),
      ffmpegPath: ffmpeg,
      log: createLogger({ level: 'warn', program: 'bench' }),
    },
    frame => {
      const number = Math.round((frame.mediaTicks * FRAMES_PER_SECOND) / VIDEO_CLOCK_RATE)
      const at = drawnAt[number]
      // The first frame pays for starting ffmpeg.
      if (frame.renditionId === 'overview' || at === undefined || number === 0) return
      seconds.push((systemClock.now() - at) / 1000)
      if (number >= frames - 1) done.resolve(undefined)
    },
    signal,
  )
  await Promise.race([done.promise, encoder.closed])
  return seconds
}
