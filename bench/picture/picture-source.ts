import { createHash } from 'node:crypto'
import { access, mkdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { patternStream } from '../../clients/capture/pattern-stream.ts'
import { millis } from '../../relay/wire/units.ts'
import { cacheDirectory } from '../../relay/runtime/directories.ts'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { cachedName } from '../../scripts/demo/cache.ts'
import { drawField } from '../../scripts/demo/field.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { EncoderInput } from '../../clients/capture/ffmpeg-encoder.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'

/** A source whose every frame can be made again, pixel by pixel, to compare with what became of it. */
export interface PictureSource {
  readonly name: 'pattern' | 'tissue'
  readonly pyramid: Pyramid
  readonly input: EncoderInput
}

const IMAGE = { width: 7680, height: 4320 }
const FRAMES_PER_SECOND = 30
const PYRAMID = planPyramid({ ...IMAGE, columns: 6, rows: 6, framesPerSecond: FRAMES_PER_SECOND, overviewWidth: 1920 })

const rawVideo = (format: string, width: number, height: number): string[] =>
  ['-f', 'rawvideo', '-pixel_format', format, '-video_size', `${width}x${height}`, '-framerate', String(FRAMES_PER_SECOND)]

/** A clock that is always late, so that frames come as fast as they are taken. */
function hurriedClock(): Clock {
  let now = 0
  return { now: () => millis((now += 1_000_000)), sleep: () => Promise.resolve() }
}

/** The test card, frame 0 first. */
export function patternPicture(): PictureSource {
  const grid = { ...IMAGE, columns: PYRAMID.columns, rows: PYRAMID.rows }
  return {
    name: 'pattern',
    pyramid: PYRAMID,
    input: {
      open: signal => ({
        source: patternStream({ grid, framesPerSecond: FRAMES_PER_SECOND, clock: hurriedClock(), signal }),
        options: rawVideo('yuv420p', IMAGE.width, IMAGE.height),
      }),
      filters: 'setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709',
    },
  }
}

/** Frames after which the stage is back where it began. */
export const STAGE_CYCLE_FRAMES = 90
const FIELD = { width: 9216, height: 5184 }
/** Luma noise of the camera, in code values. */
const GRAIN = 2

/** The stage rests, glides to another place, rests, and glides back: for ffmpeg's crop filter, the share of the way at frame `n`. */
function stageMotion(): string {
  const phase = `(mod(n,${STAGE_CYCLE_FRAMES})/${STAGE_CYCLE_FRAMES})`
  const glide = (from: number): string => `(0.5-0.5*cos(PI*(${phase}-${from})/0.35))`
  return `if(lt(${phase},0.15),0,if(lt(${phase},0.5),${glide(0.15)},if(lt(${phase},0.65),1,1-${glide(0.65)})))`
}

/**
 * What the demo shows: stained tissue under a stage that moves and rests, with the grain of a camera.
 * ffmpeg's noise begins with the same seed in every run, so every frame can be made again.
 *
 * @param onProgress - Called with the share of the field that is drawn; it is kept in the cache.
 */
export async function tissuePicture(onProgress: (share: number) => void, signal: AbortSignal): Promise<PictureSource> {
  const field = await cachedField(onProgress, signal)
  const still = `scale=out_color_matrix=bt709:out_range=tv:flags=bicubic,format=yuv420p,loop=loop=-1:size=1:start=0,setpts=N/${FRAMES_PER_SECOND}/TB`
  const slack = { x: FIELD.width - IMAGE.width, y: FIELD.height - IMAGE.height }
  const motion = stageMotion()
  const crop = `crop=${IMAGE.width}:${IMAGE.height}:x='${slack.x}*(0.4+0.12*${motion})':y='${slack.y}*(0.4+0.08*${motion})'`
  return {
    name: 'tissue',
    pyramid: PYRAMID,
    input: {
      open: () => ({ source: field, options: rawVideo('rgb24', FIELD.width, FIELD.height) }),
      filters: `${still},${crop},noise=c0s=${GRAIN}:c0f=t`,
    },
  }
}

async function cachedField(onProgress: (share: number) => void, signal: AbortSignal): Promise<string> {
  const drawing = await readFile(fileURLToPath(new URL('../../scripts/demo/tissue.ts', import.meta.url)))
  const digest = createHash('sha256').update(drawing).digest('hex')
  const directory = cacheDirectory()
  const path = join(directory, `${cachedName('bench-field', { ...FIELD, digest })}.rgb`)
  try {
    await access(path)
  } catch {
    // Not drawn yet, or the drawing has changed since.
    await mkdir(directory, { recursive: true })
    await drawField(path, FIELD, onProgress, signal)
  }
  return path
}
