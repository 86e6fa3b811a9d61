import { createHash } from 'node:crypto'
import { access, mkdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { patternStream } from '../../clients/capture/pattern-stream.ts'
import { millis } from '../../relay/wire/units.ts'
import { cacheDirectory } from '../../relay/runtime/directories.ts'
import { cachedName } from '../../scripts/demo/cache.ts'
import { DEMO_SCENE, demoInput, demoPyramid } from '../../scripts/demo/demo-scene.ts'
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

const PYRAMID = demoPyramid(1920)

/** A clock that is always late, so that frames come as fast as they are taken. */
function hurriedClock(): Clock {
  let now = 0
  return { now: () => millis((now += 1_000_000)), sleep: () => Promise.resolve() }
}

/** The test card, frame 0 first. */
export function patternPicture(): PictureSource {
  const { width, height, columns, rows, framesPerSecond } = PYRAMID
  return {
    name: 'pattern',
    pyramid: PYRAMID,
    input: {
      open: signal => ({
        source: patternStream({ grid: { width, height, columns, rows }, framesPerSecond, clock: hurriedClock(), signal }),
        options: ['-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', `${width}x${height}`, '-framerate', String(framesPerSecond)],
      }),
      filters: 'setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709',
    },
  }
}

/**
 * What the demo shows.
 *
 * @param onProgress - Called with the share of the field that is drawn; it is kept in the cache.
 */
export async function tissuePicture(onProgress: (share: number) => void, signal: AbortSignal): Promise<PictureSource> {
  return { name: 'tissue', pyramid: PYRAMID, input: demoInput(await cachedField(onProgress, signal)) }
}

async function cachedField(onProgress: (share: number) => void, signal: AbortSignal): Promise<string> {
  const drawing = await readFile(fileURLToPath(new URL('../../clients/capture/tissue.ts', import.meta.url)))
  const digest = createHash('sha256').update(drawing).digest('hex')
  const directory = cacheDirectory()
  const path = join(directory, `${cachedName('bench-field', { ...DEMO_SCENE.field, digest })}.rgb`)
  try {
    await access(path)
  } catch {
    // Not drawn yet, or the drawing has changed since.
    await mkdir(directory, { recursive: true })
    await drawField(path, DEMO_SCENE.field, onProgress, signal)
  }
  return path
}
