import { OVERVIEW, WHOLE } from '../../relay/wire/ids.ts'
import { bitsPerSecond } from '../../relay/wire/units.ts'
import { middlePosition } from '../../relay/wire/pyramid.ts'
import type { Pyramid, Rendition } from '../../relay/wire/pyramid.ts'
import type { BitsPerSecond } from '../../relay/wire/units.ts'
import type { IngestTrack } from './rtp-ingest.ts'

/** How renditions are encoded. */
export interface EncoderSettings {
  /** ffmpeg's name of the H.264 encoder. */
  readonly encoder: string
  /** More output options for it, after ours, so that they win. */
  readonly encoderOptions: readonly string[]
  readonly preset?: string | undefined
  /** Threads per encoder instance. */
  readonly threads: number
}

/** One output of ffmpeg. */
export interface EncoderOutput {
  readonly url: string
  readonly options: readonly string[]
}

/** Everything one ffmpeg process is told. */
export interface EncoderPlan {
  readonly filterGraph: string
  readonly outputs: readonly EncoderOutput[]
}

/** How one kind of rendition is encoded, unless settings say otherwise. */
interface RenditionProfile {
  readonly bitsPerPixelSecond: number
  /** The longest time between two keyframes: what a viewer waits for one, at most. */
  readonly gopSeconds: number
  /** Size of the encoder's rate buffer, which caps the size of a keyframe. */
  readonly bufferSeconds: number
}

/**
 * At 30 frames per second 36 HD tiles have 83 Mbit/s, 9 middle tiles of the same size 25, the overview
 * of 1920x1080 5, `whole` 40.
 *
 * Tiles are switched on and off by viewports, so their keyframes come often; the buffer caps one at
 * about 100 packets, fewer than the 128 that werift can send again. The overview shows sixteen times
 * the detail per pixel, but flows to every viewer all the time: it is switched on once, and spends less
 * on keyframes. Keyframes of `whole` must stay well below the 2,048 packets that browsers assemble.
 */
const PROFILES = {
  tile: { bitsPerPixelSecond: 2.5, gopSeconds: 0.33, bufferSeconds: 0.4 },
  middle: { bitsPerPixelSecond: 3, gopSeconds: 0.33, bufferSeconds: 0.4 },
  overview: { bitsPerPixelSecond: 2.2, gopSeconds: 1, bufferSeconds: 0.6 },
  whole: { bitsPerPixelSecond: 1.2, gopSeconds: 1, bufferSeconds: 0.5 },
} as const satisfies Record<string, RenditionProfile>

/**
 * RTP packets stay below this, so that SRTP, retransmission and header extensions find room in what
 * the internet carries for sure (1,280 bytes with IPv6). @see RFC 8200 section 5
 */
const PACKET_BYTES = 1180

type RenditionKind = keyof typeof PROFILES

function kindOf({ id }: Pick<Rendition, 'id'>): RenditionKind {
  if (id === WHOLE) return 'whole'
  if (id === OVERVIEW) return 'overview'
  return middlePosition(id) === undefined ? 'tile' : 'middle'
}

/** Frames between two keyframes of a rendition. */
export const gopFrames = (rendition: Rendition, framesPerSecond: number): number =>
  Math.max(1, Math.floor(framesPerSecond * PROFILES[kindOf(rendition)].gopSeconds))

/** The rates that somebody asked for; each other one follows from a rendition's pixels. */
export interface AskedBitrates {
  readonly tileBitrate?: BitsPerSecond | undefined
  readonly overviewBitrate?: BitsPerSecond | undefined
  readonly wholeBitrate?: BitsPerSecond | undefined
}

/** The rate at which one rendition is to be encoded: what was asked for, else in proportion to its pixels. */
export function renditionBitrate(rendition: Omit<Rendition, 'bitsPerSecond'>, framesPerSecond: number, asked: AskedBitrates): BitsPerSecond {
  const kind = kindOf(rendition)
  const rate = { tile: asked.tileBitrate, middle: asked.tileBitrate, overview: asked.overviewBitrate, whole: asked.wholeBitrate }[kind]
  // Twice the frames do not need twice the bits: they differ less.
  const pixels = rendition.width * rendition.height * Math.sqrt(framesPerSecond / 30)
  return rate ?? bitsPerSecond(Math.round(pixels * PROFILES[kind].bitsPerPixelSecond))
}

/** What every encoder is told of its rate. */
function rateOptions(rendition: Rendition, framesPerSecond: number): readonly string[] {
  const rate = rendition.bitsPerSecond
  const buffer = Math.round(rate * PROFILES[kindOf(rendition)].bufferSeconds)
  return ['-b:v', String(rate), '-maxrate', String(rate), '-bufsize', String(buffer), '-g', String(gopFrames(rendition, framesPerSecond))]
}

/**
 * Plans one ffmpeg process that makes every rendition of a pyramid from one input.
 *
 * @param inputFilters - The filter chain that turns the input into 4:2:0 frames of the pyramid's size, BT.709, limited range.
 * @param tracks - One per rendition of the pyramid, in its order.
 * @param port - The loopback UDP port that all RTP goes to.
 * @param rawPath - Where the frames go as they are encoded, I420, if anywhere.
 */
export function planEncoder(
  pyramid: Pyramid,
  inputFilters: string,
  settings: EncoderSettings,
  tracks: readonly IngestTrack[],
  port: number,
  rawPath?: string,
): EncoderPlan {
  const labels = pyramid.renditions.map((_, index) => `s${index}`)
  if (rawPath !== undefined) labels.push('raw')
  const branches = pyramid.renditions.map((rendition, index) => `[s${index}]${renditionFilters(pyramid, rendition, settings.encoder)}[r${index}]`)
  const split = `[0:v]${inputFilters},split=${labels.length}${labels.map(label => `[${label}]`).join('')}`
  const outputs = pyramid.renditions.map((rendition, index): EncoderOutput => {
    const track = tracks[index]
    if (track === undefined) throw new Error('one track per rendition')
    return renditionOutput(`[r${index}]`, { rendition, framesPerSecond: pyramid.framesPerSecond, phase: index }, settings, track, port)
  })
  // On several threads or in a buffer, ffmpeg would keep the latest frames back, as many as it has threads.
  if (rawPath !== undefined) outputs.push({ url: rawPath, options: ['-map', '[raw]', '-c:v', 'rawvideo', '-threads', '1', '-f', 'rawvideo', '-flush_packets', '1'] })
  return { filterGraph: [split, ...branches].join(';'), outputs }
}

/** One rendition as an encoder is told of it. */
export interface RenditionJob {
  readonly rendition: Rendition
  readonly framesPerSecond: number
  /** Which frame of each GOP is its keyframe: staggered over the renditions, so that keyframes of dozens of tiles never leave together. */
  readonly phase: number
}

/**
 * Plans one ffmpeg process that makes one rendition from pictures of exactly its size and region:
 * one frame in, one frame out.
 *
 * @param port - The loopback UDP port that its RTP goes to.
 */
export function planTileEncoder(job: RenditionJob, settings: EncoderSettings, track: Pick<IngestTrack, 'ssrc' | 'firstSequenceNumber'>, port: number): EncoderPlan {
  const upload = uploadFilters(settings.encoder)
  const output = renditionOutput('[r0]', job, settings, track, port)
  return {
    filterGraph: `[0:v]${['setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709', ...upload].join(',')}[r0]`,
    outputs: [{ ...output, options: ['-fps_mode', 'passthrough', ...output.options] }],
  }
}

function renditionOutput(label: string, job: RenditionJob, settings: EncoderSettings, track: Pick<IngestTrack, 'ssrc' | 'firstSequenceNumber'>, port: number): EncoderOutput {
  const { codec } = job.rendition
  return {
    // `connect` makes ffmpeg fail, and so end, when this process is gone and nobody listens any more.
    url: `rtp://127.0.0.1:${port}?rtcpport=${port}&pkt_size=${PACKET_BYTES}&connect=1`,
    options: [
      '-map', label,
      ...(codec === 'VP9' ? vp9Options(job, settings) : h264Options(job, settings)),
      '-color_primaries', 'bt709', '-color_trc', 'bt709', '-colorspace', 'bt709', '-color_range', 'tv',
      '-f', 'rtp',
      '-ssrc', String(track.ssrc),
      '-payload_type', codec === 'VP9' ? '98' : '96',
      '-seq', String(track.firstSequenceNumber),
    ],
  }
}

/** What carries pictures to encoders that do not read ordinary memory. */
const uploadFilters = (encoder: string): readonly string[] => (encoder.endsWith('_vaapi') ? ['format=nv12', 'hwupload'] : [])

function renditionFilters(pyramid: Pyramid, { region, width, height }: Rendition, encoder: string): string {
  const filters: string[] = []
  if (region.width !== pyramid.width || region.height !== pyramid.height) {
    filters.push(`crop=${region.width}:${region.height}:${region.x}:${region.y}`)
  }
  if (width !== region.width || height !== region.height) filters.push(`scale=${width}:${height}:flags=area`)
  filters.push(...uploadFilters(encoder))
  return filters.length === 0 ? 'null' : filters.join(',')
}

/** @see RFC 6184 section 8.1 for why parameter sets come with every keyframe: a viewer may join at any of them */
function h264Options({ rendition, framesPerSecond, phase }: RenditionJob, settings: EncoderSettings): readonly string[] {
  const gop = gopFrames(rendition, framesPerSecond)
  return [
    '-c:v', settings.encoder,
    ...encoderFamilyOptions(rendition, settings),
    '-threads', String(settings.threads),
    ...rateOptions(rendition, framesPerSecond),
    '-bf', '0',
    '-force_key_frames', `expr:eq(mod(n,${gop}),${phase % gop})`,
    ...settings.encoderOptions,
  ]
}

/** What each family of encoders needs so that it delays nothing, obeys forced keyframes, and decodes as profile-level-id 42e01f says. */
function encoderFamilyOptions(rendition: Rendition, { encoder, preset }: EncoderSettings): readonly string[] {
  const presetOptions = preset === undefined ? [] : ['-preset', preset]
  const kind = kindOf(rendition)
  if (encoder === 'libx264') {
    return [
      // `ultrafast` costs 0.014 of SSIM on stained tissue and saves a third of the time.
      // The overview shows sixteen times the detail per pixel, and is one of dozens: it may take its time.
      '-preset', preset ?? (kind === 'overview' ? 'fast' : 'superfast'),
      '-tune', 'zerolatency',
      '-profile:v', 'baseline',
      '-sc_threshold', '0',
      // Nuclei are a few pixels wide where the resolution is reduced, so that their colour is detail, too.
      '-x264-params', `repeat-headers=1:aud=0${kind === 'overview' || kind === 'middle' ? ':chroma-qp-offset=-4' : ''}`,
    ]
  }
  if (encoder.endsWith('_nvenc')) {
    return [...presetOptions, '-tune', 'ull', '-zerolatency', '1', '-delay', '0', '-rc', 'cbr', '-forced-idr', '1', '-profile:v', 'baseline']
  }
  if (encoder.endsWith('_vaapi')) return [...presetOptions, '-rc_mode', 'CBR', '-async_depth', '1', '-profile:v', 'constrained_baseline']
  if (encoder.endsWith('_qsv')) return [...presetOptions, '-async_depth', '1', '-forced_idr', '1', '-profile:v', 'baseline']
  return presetOptions
}

function vp9Options({ rendition, framesPerSecond }: RenditionJob, settings: EncoderSettings): readonly string[] {
  return [
    '-strict', 'experimental',
    '-c:v', 'libvpx-vp9',
    '-deadline', 'realtime',
    '-cpu-used', '8',
    '-row-mt', '1',
    '-tile-columns', '4',
    '-lag-in-frames', '0',
    '-auto-alt-ref', '0',
    '-threads', String(Math.max(2, settings.threads)),
    ...rateOptions(rendition, framesPerSecond),
    // Percent of the mean frame: at the default rate at most 1 MB.
    '-max-intra-rate', '600',
  ]
}
