import { planPyramid } from '../../relay/wire/pyramid.ts'
import { MAX_GRID, SlideId } from '../../relay/wire/ids.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { renditionBitrate } from './encoder-arguments.ts'
import { findFfmpeg } from './ffmpeg-binaries.ts'
import { FfmpegEncoder } from './ffmpeg-encoder.ts'
import { i420Bytes } from './specimen.ts'
import { ringFrames } from './stills/raw-ring.ts'
import { patternStream } from './pattern-stream.ts'
import { patternLayout } from './pattern-layout.ts'
import { probeVideo } from './probe.ts'
import { loadRecording } from './recording.ts'
import { RecordingSource } from './recording-source.ts'
import { openMicroscope, overviewShrink } from './simulated-microscope.ts'
import { openSlideMicroscope } from './slide/slide-microscope.ts'
import { DrivenStage } from './stage-drivers/driven-stage.ts'
import { readStageFile } from './stage-drivers/stage-file.ts'
import { TcpStage } from './stage-drivers/tcp-stage.ts'
import { StageSource } from './stage-source.ts'
import { declaredRate, encoderSettings } from './settings.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { NodeAccessOptions } from '../../relay/runtime/node-access.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { SourcePlan } from './encoded-frame.ts'
import type { FfmpegBinaries } from './ffmpeg-binaries.ts'
import type { EncoderInput } from './ffmpeg-encoder.ts'
import type { SourceSettings } from './settings.ts'
import type { SimulatedMicroscope } from './simulated-microscope.ts'
import type { SlidePlace } from './slide/block-worker.ts'
import type { StageFile } from './stage-drivers/stage-file.ts'
import type { SlideMicroscope } from './slide/slide-microscope.ts'

/** What sources stand on. */
export interface SourceContext {
  readonly clock: Clock
  readonly log: Logger
  /** The node that slides are fetched from, where there is one. */
  readonly node?: NodeAccessOptions | undefined
}

/** The size a tile is made near to, in pixels: an HD viewport touches few of them, and HD decoders are everywhere. */
const TILE_WIDTH = 1280
const TILE_HEIGHT = 720
/** Grids of so many tiles in either direction have middle tiles, too. */
const MIDDLE_FROM_TILES = 4

const nearest = (length: number, tile: number): number => Math.min(MAX_GRID, Math.max(1, Math.round(length / tile)))

/** Converts whatever comes to what is encoded, and says so to the encoder. @see Rec. ITU-T H.273 */
const toImage = (width: number, height: number, framesPerSecond: number): string =>
  `fps=${framesPerSecond},scale=${width}:${height}:flags=bicubic:out_color_matrix=bt709:out_range=tv,format=yuv420p,setsar=1`

/** Whether middle tiles are published: by default where an overview shows less than a third of the detail. */
function hasMiddle(settings: SourceSettings, columns: number, rows: number): boolean {
  return settings.middle === 'half' || (settings.middle === 'auto' && Math.max(columns, rows) >= MIDDLE_FROM_TILES)
}

/** Lays out the pyramid for an image of the given size. */
function pyramidFor(settings: SourceSettings, width: number, height: number, framesPerSecond: number): Pyramid {
  const columns = settings.columns ?? nearest(width, TILE_WIDTH)
  const rows = settings.rows ?? nearest(height, TILE_HEIGHT)
  return planPyramid({
    width,
    height,
    framesPerSecond,
    columns,
    rows,
    middle: hasMiddle(settings, columns, rows) ? { columns: Math.ceil(columns / 2), rows: Math.ceil(rows / 2) } : undefined,
    bitrateOf: rendition => renditionBitrate(rendition, framesPerSecond, settings),
    overviewWidth: settings.overviewWidth,
    whole: settings.whole === 'vp9' ? 'VP9' : undefined,
  })
}

/**
 * Looks at the source that the settings name, and plans how to run it.
 *
 * @throws {RelayFault} `bad_config`, `bad_source` or `bad_recording`: retrying would not help.
 */
export async function planSource(settings: SourceSettings, context: SourceContext): Promise<SourcePlan> {
  switch (settings.source) {
    case 'pattern':
      return planPattern(settings, context)
    case 'file':
      return planFile(settings, context)
    case 'device':
      return planDevice(settings, context)
    case 'recording':
      return planRecording(settings, context)
    case 'stage':
      return planStage(settings, context)
    case 'slide':
      return planSlide(settings, context)
    default:
      return settings.source satisfies never
  }
}

/**
 * Lets ffmpeg keep the memory of a raw frame for the next one: glibc would give it back and take it anew, page by page,
 * which costs a third more than copying the frame. For programs that are started from now on.
 *
 * @see mallopt(3)
 */
function easeLargeBuffers(): void {
  process.env['MALLOC_MMAP_MAX_'] ??= '0'
  process.env['MALLOC_TRIM_THRESHOLD_'] ??= String(2 ** 33)
}

/** A plan that encodes `input` by ffmpeg. */
export function encodedPlan(
  plan: { readonly kind: string; readonly pyramid: Pyramid; readonly input: EncoderInput },
  settings: SourceSettings,
  binaries: FfmpegBinaries,
  log: Logger,
): SourcePlan {
  const { kind, pyramid, input } = plan
  const { stillRing, stillRingBytes } = settings
  const frames = stillRing === 0 ? 0 : ringFrames(stillRing, pyramid.framesPerSecond, i420Bytes(pyramid.width, pyramid.height), stillRingBytes)
  if (stillRing > 0) {
    log.info({ frames, seconds: frames / pyramid.framesPerSecond }, 'raw frames are kept')
    easeLargeBuffers()
  }
  const options = { pyramid, input, settings: encoderSettings(settings), ffmpegPath: binaries.ffmpeg, ringFrames: frames, log }
  return { kind, pyramid, ffmpegPath: binaries.ffmpeg, open: (onFrame, signal) => FfmpegEncoder.open(options, onFrame, signal) }
}

async function planPattern(settings: SourceSettings, { clock, log }: SourceContext): Promise<SourcePlan> {
  const { width, height } = settings
  const framesPerSecond = declaredRate(settings)
  const pyramid = pyramidFor(settings, width, height, framesPerSecond)
  const { columns, rows } = pyramid
  for (const { id, region } of pyramid.renditions) if (id.startsWith('tile')) patternLayout(region)
  const grid = { width, height, columns, rows }
  const input: EncoderInput = {
    open: signal => ({
      source: patternStream({ grid, framesPerSecond, clock, signal }),
      options: ['-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', `${width}x${height}`, '-framerate', String(framesPerSecond)],
    }),
    filters: 'setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709',
  }
  return encodedPlan({ kind: 'pattern', pyramid, input }, settings, await findFfmpeg(settings), log)
}

async function planFile(settings: SourceSettings, { log }: SourceContext): Promise<SourcePlan> {
  const path = settings.input ?? ''
  const binaries = await findFfmpeg(settings)
  const video = await probeVideo(path, binaries)
  const even = (length: number): number => 2 * Math.floor(length / 2)
  const width = even(video.width)
  const height = even(video.height)
  const pyramid = pyramidFor(settings, width, height, video.framesPerSecond)
  const options = ['-re', ...(settings.loop ? ['-stream_loop', '-1'] : []), ...settings.inputOptions]
  const input: EncoderInput = {
    open: () => ({ source: path, options }),
    filters: toImage(width, height, video.framesPerSecond),
  }
  return encodedPlan({ kind: 'file', pyramid, input }, settings, binaries, log)
}

async function planDevice(settings: SourceSettings, { clock, log }: SourceContext): Promise<SourcePlan> {
  const { width, height, inputOptions: options } = settings
  const framesPerSecond = declaredRate(settings)
  const source = settings.input ?? ''
  const pyramid = pyramidFor(settings, width, height, framesPerSecond)
  const input: EncoderInput = { open: () => ({ source, options }), filters: toImage(width, height, framesPerSecond) }
  const plan = encodedPlan({ kind: 'device', pyramid, input }, settings, await findFfmpeg(settings), log)
  return settings.stageFile === undefined ? plan : withStage(plan, await readStageFile(settings.stageFile), { clock, log })
}

/** A source with a motorised stage beside its camera. */
function withStage(plan: SourcePlan, { host, port, objective, travel, cameraDelayMillis }: StageFile, { clock, log }: SourceContext): SourcePlan {
  const driver = TcpStage.open({ host, port, limits: { objectives: [objective], travel }, clock })
  const stage = new DrivenStage({ driver, cameraDelay: millis(cameraDelayMillis), clock, log })
  return {
    ...plan, stage,
    open: (onFrame, signal) => {
      stage.restart()
      return plan.open(frame => {
        stage.imageArrived(frame.mediaTicks)
        onFrame(frame)
      }, signal)
    },
    close: () => driver[Symbol.asyncDispose](),
  }
}

async function planRecording(settings: SourceSettings, { clock, log }: SourceContext): Promise<SourcePlan> {
  if (settings.input === undefined) throw new RelayFault('bad_config', '--input: the recording source needs one')
  const recording = await loadRecording(settings.input)
  // Only stills need it, which are decoded.
  const binaries = await findFfmpeg(settings).catch((error: unknown) => {
    log.info({ err: error }, 'without ffmpeg no stills can be kept')
    return undefined
  })
  return {
    kind: 'recording',
    ffmpegPath: binaries?.ffmpeg,
    pyramid: recording.pyramid,
    open: (onFrame, signal) => Promise.resolve(RecordingSource.open({ recording, clock, isLooped: settings.loop }, onFrame, signal)),
  }
}

async function planStage(settings: SourceSettings, context: SourceContext): Promise<SourcePlan> {
  const { clock, log } = context
  const { width, height, specimen: kind } = settings
  return planMicroscope(settings, context, () => openMicroscope({ width, height, kind, log, clock }))
}

async function planSlide(settings: SourceSettings, context: SourceContext): Promise<SourcePlan> {
  let opened: SlideMicroscope | undefined
  const plan = await planMicroscope(settings, context, async () => (opened = await openSlideMicroscope(slidePlace(settings.slide ?? '', context), context.log)))
  return { ...plan, close: async () => opened?.[Symbol.asyncDispose]() }
}

function slidePlace(slide: string, { node }: SourceContext): SlidePlace {
  const slideId = SlideId.safeParse(slide)
  if (!slideId.success) return { kind: 'file', path: slide }
  if (node === undefined) throw new RelayFault('bad_config', '--slide: a slide of the store needs a node')
  return { kind: 'node', node, slideId: slideId.data }
}

async function planMicroscope(settings: SourceSettings, { clock, log }: SourceContext, open: () => Promise<SimulatedMicroscope>): Promise<SourcePlan> {
  const { width, height, source: kind, spareEncoders } = settings
  const overviewWidth = width / overviewShrink(width, height, settings.overviewWidth)
  const laidOut = pyramidFor({ ...settings, overviewWidth }, width, height, declaredRate(settings))
  const { ffmpeg: ffmpegPath } = await findFfmpeg(settings)
  const microscope = await open()
  // Only what takes time to get ready is shown before it is.
  const pyramid: Pyramid = microscope.specimen.prepare === undefined ? laidOut : { ...laidOut, marksCoarse: true }
  const options = { pyramid, microscope, settings: encoderSettings(settings), spareEncoders, ffmpegPath, clock, log }
  return { kind, pyramid, stage: microscope.stage, ffmpegPath, open: (onFrame, signal) => StageSource.open(options, onFrame, signal) }
}
