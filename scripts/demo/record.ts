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
import { cachedName, holdsRecording } from './cache.ts'
import { DEMO_SCENE, demoInput, demoPyramid } from './demo-scene.ts'
import { drawField } from './field.ts'
import type { SourcePlan } from '../../clients/capture/encoded-frame.ts'

/** Change it with anything that changes what the recordings show. */
const VERSION = 4

/** Whom to tell, and when to stop. */
export interface MakeOptions {
  /** One line for a person, now and then. */
  readonly onProgress?: (line: string) => void
  readonly signal?: AbortSignal
  /** Where recordings are kept, when not in the user's cache. */
  readonly cache?: string
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

/** The ffmpeg somebody asked for; an empty variable asks for nothing. */
const chosenFfmpeg = (): string | undefined => process.env['KENKYO_FFMPEG'] === '' ? undefined : process.env['KENKYO_FFMPEG']

function progressPrinter(what: string, onProgress: MakeOptions['onProgress']): (share: number) => void {
  let printed = -1
  return share => {
    const tenth = Math.floor(share * 10)
    if (tenth === printed) return
    printed = tenth
    onProgress?.(`${what}: ${tenth * 10} %`)
  }
}

async function planDemo(field: string, framesPerSecond: number): Promise<SourcePlan> {
  const settings = SourceSettings.parse({ threads: Math.min(2, availableParallelism()), ffmpeg: chosenFfmpeg() })
  const log = createLogger({ level: 'warn', program: 'demo' })
  const scene = { kind: 'demo', pyramid: demoPyramid(settings.overviewWidth, framesPerSecond), input: demoInput(field, framesPerSecond) } as const
  return encodedPlan(scene, settings, await findFfmpeg(settings), log)
}

/**
 * The demo's recording, made if it is not in the cache.
 *
 * @returns Its directory.
 * @throws {RelayFault} when it cannot be made: no ffmpeg, no room, or lost packets.
 */
export async function demoRecording(options: MakeOptions & { readonly framesPerSecond?: number } = {}): Promise<string> {
  const { onProgress, signal = new AbortController().signal, cache = cacheDirectory() } = options
  const { framesPerSecond = DEMO_SCENE.framesPerSecond } = options
  const directory = join(cache, cachedName('demo', { version: VERSION, ...DEMO_SCENE, framesPerSecond }))
  if (await holdsRecording(directory)) return directory
  await mkdir(cache, { recursive: true })
  const field = `${directory}.rgb`
  try {
    await drawField(field, DEMO_SCENE.field, progressPrinter('drawing the demo field', onProgress), signal)
    const printer = progressPrinter('encoding the demo recording', onProgress)
    await recordSource(
      { plan: await planDemo(field, framesPerSecond), output: directory, seconds: DEMO_SCENE.seconds, onProgress: (frames, of) => printer(frames / of) },
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
  const settings = SourceSettings.parse({ ...rest, source: 'pattern', ffmpeg: chosenFfmpeg() })
  const log = createLogger({ level: 'warn', program: 'demo' })
  const plan = await planSource(settings, { clock: systemClock, log })
  const printer = progressPrinter('encoding the test card', onProgress)
  await recordSource({ plan, output: directory, seconds, onProgress: (frames, of) => printer(frames / of) }, signal)
  return directory
}
