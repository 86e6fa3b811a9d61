import ffmpeg from 'fluent-ffmpeg'
import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { FfmpegBinaries } from './ffmpeg-binaries.ts'

/** What a video file says of itself. */
export interface VideoProperties {
  readonly width: number
  readonly height: number
  readonly framesPerSecond: number
}

const MAX_FRAMES_PER_SECOND = 120

/** The part of ffprobe's answer that is used. */
const ProbedStream = z.object({
  codec_type: z.literal('video'),
  width: z.int().min(16).max(16_384),
  height: z.int().min(16).max(16_384),
  avg_frame_rate: z.string().regex(/^\d+\/\d+$/),
  r_frame_rate: z.string().regex(/^\d+\/\d+$/),
})

function parseRate(fraction: string): number {
  const [numerator = 0, denominator = 0] = fraction.split('/').map(Number)
  return denominator === 0 ? 0 : numerator / denominator
}

function probe(path: string, ffprobePath: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    ffmpeg(path)
      .setFfprobePath(ffprobePath)
      .ffprobe((error: Error | null | undefined, data: unknown) => {
        if (error === null || error === undefined) resolve(data)
        else reject(error)
      })
  })
}

/**
 * Looks at a video file.
 *
 * @throws {RelayFault} `bad_source` when ffmpeg finds no video in it; `bad_config` without ffprobe. Neither repeats the path.
 */
export async function probeVideo(path: string, binaries: FfmpegBinaries): Promise<VideoProperties> {
  if (binaries.ffprobe === undefined) throw new RelayFault('bad_config', 'no ffprobe found: install it or set KENKYO_FFPROBE')
  let data: unknown
  try {
    data = await probe(path, binaries.ffprobe)
  } catch (cause) {
    throw new RelayFault('bad_source', 'the input is not a file that ffmpeg can read', { cause })
  }
  const streams = z.object({ streams: z.array(z.unknown()) }).safeParse(data)
  const video = (streams.data?.streams ?? []).map(stream => ProbedStream.safeParse(stream).data).find(stream => stream !== undefined)
  if (video === undefined) throw new RelayFault('bad_source', 'the input holds no video')
  const rate = [video.avg_frame_rate, video.r_frame_rate].map(parseRate).find(value => value >= 1)
  if (rate === undefined) throw new RelayFault('bad_source', 'the input is a still picture, not a video')
  return { width: video.width, height: video.height, framesPerSecond: Math.min(rate, MAX_FRAMES_PER_SECOND) }
}
