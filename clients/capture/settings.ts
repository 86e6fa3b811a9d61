import { z } from 'zod'
import { flag, numeric } from '../../relay/runtime/config.ts'
import { EntrySettings } from '../../relay/runtime/node-access.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { MAX_GRID } from '../../relay/wire/ids.ts'
import { bitsPerSecond } from '../../relay/wire/units.ts'
import { CARRIERS } from './carrier.ts'
import { parseLinkPaths } from './link-paths.ts'
import type { EncoderSettings } from './encoder-arguments.ts'

const pixels = numeric(z.int().min(16).max(16_384).multipleOf(2))
const grid = numeric(z.int().min(1).max(MAX_GRID))
const bitrate = numeric(z.int().min(50_000).max(1_000_000_000)).transform(bitsPerSecond)
/** Words separated by spaces, as on a command line without quotes. */
const words = z.string().transform(text => text.split(/\s+/).filter(word => word !== ''))

/** What every way of running the capture agent shares: the source, and how it is encoded. */
export const SourceSettings = z.strictObject({
  source: z.enum(['pattern', 'file', 'device', 'recording', 'stage', 'slide']).default('pattern'),
  /** A path, for `file` and `recording`; what ffmpeg's `-i` takes, for `device`. */
  input: z.string().min(1).optional(),
  /** Options before `-i`, for `file` and `device`. */
  inputOptions: words.default([]),
  /** Size of the image in pixels: of the card or the simulated microscope, or what the device delivers. */
  width: pixels.default(7680),
  height: pixels.default(4320),
  /** Of the same; {@link declaredRate} without it. */
  framesPerSecond: numeric(z.number().min(1).max(120)).optional(),
  columns: grid.optional(),
  rows: grid.optional(),
  overviewWidth: pixels.default(1920),
  /** Tiles at half resolution, for lines that cannot carry every tile in view. */
  middle: z.enum(['auto', 'half', 'none']).default('auto'),
  /** Bits per second; without them, in proportion to the pixels. */
  tileBitrate: bitrate.optional(),
  overviewBitrate: bitrate.optional(),
  wholeBitrate: bitrate.optional(),
  whole: z.enum(['none', 'vp9']).default('none'),
  encoder: z.string().regex(/^[a-z0-9_]{1,32}$/, 'expected the name of an ffmpeg encoder').default('libx264'),
  encoderOptions: words.default([]),
  preset: z.string().regex(/^[a-z0-9_-]{1,32}$/, 'expected the name of a preset').optional(),
  /** Threads per encoder. */
  threads: numeric(z.int().min(0).max(64)).default(1),
  /** What lies under the simulated microscope. */
  specimen: z.enum(['tissue', 'calibration']).default('tissue'),
  /** A whole slide to put under it, for `slide`: a path, or the id of one in the node's store. */
  slide: z.string().min(1).optional(),
  /** Describes the motorised stage beside the camera, for `device`. */
  stageFile: z.string().min(1).optional(),
  /** Encoders of each kind that a simulated microscope keeps started for tiles that come into view. */
  spareEncoders: numeric(z.int().min(0).max(16)).default(4),
  /** Seconds of raw frames that are kept, so that stills are exact. */
  stillRing: numeric(z.number().min(0).max(60)).default(0),
  /** Bytes that they may take. */
  stillRingBytes: numeric(z.int().min(0)).default(2_000_000_000),
  loop: flag().default(false),
  ffmpeg: z.string().min(1).optional(),
  ffprobe: z.string().min(1).optional(),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
})
export type SourceSettings = z.infer<typeof SourceSettings>

/** The settings of a running agent. */
export const AgentSettings = SourceSettings.extend({
  ...EntrySettings.shape,
  /** What the line to the node is known to carry, in bits per second. */
  uplinkBitrate: bitrate.optional(),
  /** Bits per second that a still takes at most on its way to a node on another machine. */
  stillBitrate: bitrate.default(bitsPerSecond(20_000_000)),
  /** By what the pyramid reaches the node. */
  carrier: z.enum(CARRIERS).default('link'),
  /** Interfaces for a link's paths, the preferred first: `name=address`, `name@host` or `name=address@host`, separated by commas. */
  linkPaths: z.string().transform(parseLinkPaths).optional(),
  /** Where to write down when each image was handed to the sender. */
  frameLog: z.string().min(1).optional(),
  /** Where to write down when each frame of each rendition had left. */
  sentLog: z.string().min(1).optional(),
})
export type AgentSettings = z.infer<typeof AgentSettings>

/** The settings of the recorder. */
export const RecordSettings = SourceSettings.extend({
  seconds: numeric(z.number().gt(0).max(600)).default(3),
  output: z.string().min(1),
})
export type RecordSettings = z.infer<typeof RecordSettings>

/** The frame rate that was asked for, or that a source has without: what software encodes of a viewport, or what screens show. */
export const declaredRate = ({ framesPerSecond, source }: SourceSettings): number => framesPerSecond ?? (isSimulated(source) ? 15 : 30)

/** Whether a source is a simulated microscope, which makes only what is watched. */
export const isSimulated = (source: SourceSettings['source']): boolean => source === 'stage' || source === 'slide'

/** The encoder's share of the settings. */
export const encoderSettings = (settings: SourceSettings): EncoderSettings => ({
  encoder: settings.encoder,
  encoderOptions: settings.encoderOptions,
  preset: settings.preset,
  threads: settings.threads,
})

/**
 * What contradicts itself in otherwise well-formed settings.
 *
 * @throws {RelayFault} `bad_config` naming every contradiction.
 */
export function refuseContradictions(settings: SourceSettings): void {
  const mistakes: string[] = []
  const takesInput = settings.source !== 'pattern' && !isSimulated(settings.source)
  if (!takesInput && settings.input !== undefined) mistakes.push(`--input: the ${settings.source} source takes none`)
  if (takesInput && settings.input === undefined) mistakes.push(`--input: the ${settings.source} source needs one`)
  if ((settings.source === 'slide') !== (settings.slide !== undefined)) mistakes.push('--slide: goes with the slide source, which needs one')
  if (settings.stageFile !== undefined && settings.source !== 'device') mistakes.push('--stage-file: goes with the device source')
  if (isSimulated(settings.source) && settings.whole !== 'none') mistakes.push(`--whole: the ${settings.source} source has no such stream`)
  if (isSimulated(settings.source) && 'output' in settings) mistakes.push(`--source: the ${settings.source} source makes only what is watched, and cannot be recorded`)
  if (mistakes.length > 0) throw new RelayFault('bad_config', mistakes.join('\n'))
}
