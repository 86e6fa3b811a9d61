/** The recordings that demo, tests and benches play: made on first use, kept in the cache. */
import { mkdir, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { encodedPlan, planSource } from '../../clients/capture/source-plan.ts'
import { findFfmpeg } from '../../clients/capture/ffmpeg-binaries.ts'
import { recordSource } from '../../clients/capture/record.ts'
import { SourceSettings } from '../../clients/capture/settings.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { cacheDirectory } from '../../relay/runtime/directories.ts'
import { planPyramid } from '../../relay/wire/pyramid.ts'
import { cachedName, holdsRecording } from './cache.ts'
import { drawField } from './field.ts'
import type { SourcePlan } from '../../clients/capture/encoded-frame.ts'

/** Change it with anything that changes what the recordings show. */
const VERSION = 2

/** Whom to tell, and when to stop. */
export interface MakeOptions {
  /** One line for a person, now and then. */
  readonly onProgress?: (line: string) => void
  readonly signal?: AbortSignal
  /** Where recordings are kept, when not in the user's cache. */
  readonly cache?: string
}

/** The demo: an 8K field moved by a stage, 3 seconds that join without a seam. */
const DEMO = {
  version: VERSION,
  width: 7680,
  height: 4320,
  columns: 6,
  rows: 6,
  framesPerSecond: 30,
  seconds: 3,
  field: { width: 9216, height: 5184 },
  /** Luma noise of the camera, in code values. */
  grain: 2,
}

/** A test card to record. */
export interface PatternRecording {
  readonly width?: number
  readonly height?: number
  readonly columns?: number
  readonly rows?: number
  readonly framesPerSecond?: number
  readonly seconds?: number
  /** Also record the whole image as one VP9 stream. */
  readonly whole?: 'none' | 'vp9'
}

/**
 * The stage rests, glides to another place, rests, and glides back.
 *
 * @returns An expression for ffmpeg's crop filter: the share of the way, from 0 to 1, by frame `n`.
 */
function stageMotion(frames: number): string {
  const phase = `(mod(n,${frames})/${frames})`
  const glide = (from: number): string => `(0.5-0.5*cos(PI*(${phase}-${from})/0.35))`
  return `if(lt(${phase},0.15),0,if(lt(${phase},0.5),${glide(0.15)},if(lt(${phase},0.65),1,1-${glide(0.65)})))`
}

function progressPrinter(what: string, onProgress: MakeOptions['onProgress']): (share: number) => void {
  let printed = -1
  return share => {
    const tenth = Math.floor(share * 10)
    if (tenth === printed) return
    printed = tenth
    onProgress?.(`${what}: ${tenth * 10} %`)
  }
}

async function planDemo(field: string): Promise<SourcePlan> {
  const { width, height, framesPerSecond } = DEMO
  const settings = SourceSettings.parse({ threads: Math.min(2, availableParallelism()), ffmpeg: process.env['KENKYO_FFMPEG'] })
  const still = `scale=out_color_matrix=bt709:out_range=tv:flags=bicubic,format=yuv420p,loop=loop=-1:size=1:start=0,setpts=N/${framesPerSecond}/TB`
  const motion = stageMotion(DEMO.seconds * framesPerSecond)
  const slack = { x: DEMO.field.width - width, y: DEMO.field.height - height }
  const input = {
    open: () => ({
      source: field,
      options: ['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', `${DEMO.field.width}x${DEMO.field.height}`, '-framerate', String(framesPerSecond)],
    }),
    filters: `${still},crop=${width}:${height}:x='${slack.x}*(0.4+0.12*${motion})':y='${slack.y}*(0.4+0.08*${motion})',noise=c0s=${DEMO.grain}:c0f=t`,
  }
  const pyramid = planPyramid({ ...DEMO, overviewWidth: settings.overviewWidth })
  const log = createLogger({ level: 'warn', program: 'demo' })
  return encodedPlan({ kind: 'demo', pyramid, input }, settings, await findFfmpeg(settings), log)
}

/**
 * The demo's recording, made if it is not in the cache.
 *
 * @returns Its directory.
 * @throws {RelayFault} when it cannot be made: no ffmpeg, no room, or lost packets.
 */
export async function demoRecording(options: MakeOptions = {}): Promise<string> {
  const { onProgress, signal = new AbortController().signal, cache = cacheDirectory() } = options
  const directory = join(cache, cachedName('demo', DEMO))
  if (await holdsRecording(directory)) return directory
  await mkdir(cache, { recursive: true })
  const field = `${directory}.rgb`
  try {
    await drawField(field, DEMO.field, progressPrinter('drawing the demo field', onProgress), signal)
    const printer = progressPrinter('encoding the demo recording', onProgress)
    await recordSource(
      { plan: await planDemo(field), output: directory, seconds: DEMO.seconds, onProgress: (frames, of) => printer(frames / of) },
      signal,
    )
  } finally {
    await rm(field, { force: true })
  }
  return directory
}

/**
 * A recording of the test card, made if it is not in the cache.
 *
 * @returns Its directory.
 * @throws {RelayFault} when it cannot be made.
 */
export async function patternRecording(pattern: PatternRecording = {}, options: MakeOptions = {}): Promise<string> {
  const { onProgress, signal = new AbortController().signal, cache = cacheDirectory() } = options
  const { seconds = 2, ...rest } = pattern
  const directory = join(cache, cachedName('pattern', { version: VERSION, seconds, ...rest }))
  if (await holdsRecording(directory)) return directory
  const settings = SourceSettings.parse({ ...rest, source: 'pattern', ffmpeg: process.env['KENKYO_FFMPEG'] })
  const log = createLogger({ level: 'warn', program: 'demo' })
  const plan = await planSource(settings, { clock: systemClock, log })
  const printer = progressPrinter('encoding the test card', onProgress)
  await recordSource({ plan, output: directory, seconds, onProgress: (frames, of) => printer(frames / of) }, signal)
  return directory
}
