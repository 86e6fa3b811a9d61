import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { findFfmpeg } from '../../clients/capture/ffmpeg-binaries.ts'
import { recordSource } from '../../clients/capture/record.ts'
import { loadRecording } from '../../clients/capture/recording.ts'
import { encoderSettings, SourceSettings } from '../../clients/capture/settings.ts'
import { encodedPlan } from '../../clients/capture/source-plan.ts'
import { numeric } from '../../relay/runtime/config.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { tilePosition } from '../../relay/wire/pyramid.ts'
import { BROWSER } from '../all/needs.ts'
import { measureCanvasColours } from '../picture/canvas-colours.ts'
import { STAGE_CYCLE_FRAMES } from '../../scripts/demo/demo-scene.ts'
import { patternPicture, tissuePicture } from '../picture/picture-source.ts'
import { compareWithSource } from '../picture/ssim.ts'
import { FigureSheet } from '../report.ts'
import { mean, median } from '../statistics.ts'
import type { PictureSource } from '../picture/picture-source.ts'
import type { Measurement } from '../report.ts'
import type { BenchContext, Scenario } from './scenario.ts'

const VIEWER_PAGE = fileURLToPath(new URL('../../clients/viewer/dist/index.html', import.meta.url))
/** The figure that tells of moving tissue is the one that counts; the test card's flat fields are easy. */
const SSIM_FIGURE = { tissue: 'ssim', pattern: 'ssim_test_card' } as const
const SSIM_GOAL = { relation: '>=', bound: 0.97 } as const
const DELTA_E_GOAL = { relation: '<=', bound: 2 } as const

const Options = z.strictObject({
  frames: numeric(z.int().min(2).max(900)).optional(),
  tiles: numeric(z.int().min(0).max(64)).optional(),
  /** Without them, the capture agent's defaults. */
  tileBitrate: z.string().optional(),
  overviewBitrate: z.string().optional(),
  encoder: z.string().optional(),
  encoderOptions: z.string().optional(),
  preset: z.string().optional(),
})

/** One encoded source, in a directory that somebody else removes. */
interface Recorded {
  readonly source: PictureSource
  readonly directory: string
}

async function record(source: PictureSource, directory: string, frames: number, settings: SourceSettings, context: BenchContext): Promise<Recorded> {
  const { input, pyramid, name } = source
  const log = createLogger({ level: 'warn', program: 'bench' })
  const plan = encodedPlan({ kind: name, pyramid, input }, settings, await findFfmpeg(settings), log)
  let told = 0
  const onProgress = (done: number): void => {
    if (done < told + 10) return
    told = done
    context.say(`encoding ${name}: ${done} of ${frames} frames`)
  }
  await recordSource({ plan, output: directory, seconds: frames / pyramid.framesPerSecond, onProgress }, context.signal)
  return { source, directory }
}

async function reportSsim({ source, directory }: Recorded, settings: SourceSettings, sheet: FigureSheet, context: BenchContext): Promise<void> {
  const recording = await loadRecording(directory)
  const { ffmpeg } = await findFfmpeg(settings)
  context.say(`decoding ${source.name} and comparing it with its source`)
  const values = await compareWithSource({ source, recording, settings: encoderSettings(settings), ffmpeg, signal: context.signal })
  for (const [rendition, frames] of values) {
    sheet.add({ name: SSIM_FIGURE[source.name], labels: { rendition }, unit: 'ratio', note: 'luma and chroma; samples are frames', goal: SSIM_GOAL }, frames)
  }
  const medians = [...values].map(([, frames]) => median(frames))
  const labels = { source: source.name }
  sheet.add({ name: 'ssim_min', labels, unit: 'ratio', value: Math.min(...medians), note: 'of the worst rendition; samples are renditions', goal: SSIM_GOAL }, medians)
  const seconds = recording.images.length / source.pyramid.framesPerSecond
  const payloadBytes = recording.images.flat(2).reduce((sum, { payloads }) => sum + payloads.reduce((bytes, payload) => bytes + payload.length, 0), 0)
  sheet.add({ name: 'encoded_bits_per_second', labels, unit: 'bit/s', note: 'RTP payload of all renditions' }, [(8 * payloadBytes) / seconds])
}

/** So many tiles, spread evenly over the grid. */
function chooseTiles({ pyramid }: PictureSource, count: number) {
  const tiles = pyramid.renditions.map(({ id }) => id).filter(id => tilePosition(id) !== undefined)
  const wanted = Math.min(count, tiles.length)
  return Array.from({ length: wanted }, (_, index) => tiles[Math.floor(((index + 0.5) * tiles.length) / wanted)]).filter(id => id !== undefined)
}

async function reportColours({ source, directory }: Recorded, tiles: number, sheet: FigureSheet, context: BenchContext): Promise<void> {
  if (!existsSync(VIEWER_PAGE)) throw new RelayFault('unavailable', 'the viewer is not built: npm run build:viewer')
  context.say('opening the viewer in Chromium on the test card')
  const all: number[] = []
  await measureCanvasColours({
    recording: directory,
    pyramid: source.pyramid,
    tiles: chooseTiles(source, tiles),
    signal: context.signal,
    onTile: (tile, differences) => {
      all.push(...differences)
      context.say(`colour chart of ${tile}: mean ΔE2000 ${differences.length === 0 ? '-' : mean(differences).toFixed(2)}`)
    },
  })
  sheet.addMean({ name: 'delta_e', unit: 'ΔE2000', note: 'chart definition to canvas; samples are patches', goal: DELTA_E_GOAL }, all)
  sheet.add({ name: 'delta_e_max', unit: 'ΔE2000', value: Math.max(...all), note: 'maximum; samples are patches' }, all)
}

async function run(flags: Readonly<Record<string, unknown>>, context: BenchContext): Promise<Measurement> {
  const result = Options.safeParse(flags)
  if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
  const { frames = context.isQuick ? 8 : STAGE_CYCLE_FRAMES, tiles = context.isQuick ? 2 : 36, ...encoding } = result.data
  const settings = SourceSettings.parse({ ...encoding, threads: availableParallelism(), ffmpeg: process.env['KENKYO_FFMPEG'] })
  await using scope = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-bench-'))
  scope.defer(() => rm(directory, { recursive: true, force: true }))
  const sheet = new FigureSheet()
  const pattern = await record(patternPicture(), join(directory, 'pattern'), frames, settings, context)
  await reportSsim(pattern, settings, sheet, context)
  let drawn = -1
  const onDrawn = (share: number): void => {
    if (Math.floor(share * 10) === drawn) return
    drawn = Math.floor(share * 10)
    context.say(`drawing tissue: ${drawn * 10} %`)
  }
  const tissue = await tissuePicture(onDrawn, context.signal)
  await reportSsim(await record(tissue, join(directory, 'tissue'), frames, settings, context), settings, sheet, context)
  if (tiles > 0) await reportColours(pattern, tiles, sheet, context)
  const { encoder, preset = 'default', tileBitrate = 'default', overviewBitrate = 'default' } = settings
  return {
    parameters: { frames, tiles, encoder, encoderOptions: settings.encoderOptions.join(' '), preset, tileBitrate, overviewBitrate },
    figures: sheet.figures,
    samples: sheet.samples,
    warnings: sheet.warnings,
  }
}

/** Picture truth: what encoding and the whole way to the canvas do to an image. */
export const picture: Scenario = {
  name: 'picture',
  needs: BROWSER,
  summary: 'Compare decoded renditions with their source (SSIM), and a colour chart on the viewer\'s canvas with its definition (ΔE2000).',
  configure: command =>
    command
      .option('--frames <n>', `frames of each source to encode and compare (default ${STAGE_CYCLE_FRAMES}, once through what the stage does; quick 8)`)
      .option('--tiles <n>', 'tiles whose colour chart is read from the canvas; 0 leaves it out (default 36, quick 2)')
      .option('--tile-bitrate <bit/s>', 'as kenkyo capture takes it (default: its default)')
      .option('--overview-bitrate <bit/s>', 'likewise')
      .option('--encoder <name>', 'likewise')
      .option('--encoder-options <words>', 'likewise')
      .option('--preset <name>', 'likewise'),
  run,
}
