import { Readable } from 'node:stream'
import { t } from 'tap'
import { createLogger } from '../../relay/runtime/log.ts'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { findFfmpeg } from './ffmpeg-binaries.ts'
import { FfmpegEncoder } from './ffmpeg-encoder.ts'
import { imageTicks } from './recording.ts'
import { encoderSettings, SourceSettings } from './settings.ts'
import { i420Bytes } from './specimen.ts'

const IMAGE = { width: 640, height: 360 }
const FRAMES_PER_SECOND = 5

t.test('the newest frame is in the ring before another comes', async t => {
  const pyramid = planPyramid({ ...IMAGE, columns: 1, rows: 1, framesPerSecond: FRAMES_PER_SECOND, overviewWidth: 320 })
  const renditions = pyramid.renditions.map(rendition => ({ ...rendition, bitsPerSecond: 1_000_000 }))
  const settings = SourceSettings.parse({ source: 'pattern' })
  const frames = new Readable({ read: () => undefined })
  const input = {
    open: () => ({ source: frames, options: ['-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', `${IMAGE.width}x${IMAGE.height}`, '-framerate', String(FRAMES_PER_SECOND)] }),
    filters: 'null',
  }
  const { ffmpeg: ffmpegPath } = await findFfmpeg(settings)
  const log = createLogger({ level: 'silent', program: 'capture' })
  const { signal } = new AbortController()
  const { promise: encoded, resolve } = Promise.withResolvers<number>()
  const options = { pyramid: { ...pyramid, renditions }, input, settings: encoderSettings(settings), ffmpegPath, ringFrames: 8, log }
  await using encoder = await FfmpegEncoder.open(options, ({ mediaTicks }) => mediaTicks === imageTicks(2, FRAMES_PER_SECOND) && resolve(mediaTicks), signal)
  for (const luma of [50, 100, 150]) frames.push(Buffer.alloc(i420Bytes(IMAGE.width, IMAGE.height), luma))
  using image = await encoder.imageAt(await encoded)
  t.ok(image?.planes.every(sample => sample === 150))
})
