import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { planEncoder } from '../../clients/capture/encoder-arguments.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { ChildProgram } from '../processes.ts'
import { unpackH264 } from '../../clients/capture/annex-b.ts'
import type { EncoderSettings } from '../../clients/capture/encoder-arguments.ts'
import type { Recording } from '../../clients/capture/recording.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { PictureSource } from './picture-source.ts'

const COMPARE_DEADLINE = millis(600_000)

/** What {@link compareWithSource} needs. */
export interface Comparison {
  readonly source: PictureSource
  /** Of that source, from its first frame. */
  readonly recording: Recording
  readonly settings: EncoderSettings
  readonly ffmpeg: string
  readonly signal: AbortSignal
}

/**
 * Reads what ffmpeg's `ssim` filter writes: one line per frame, `n:1 Y:0.98 U:0.99 V:0.99 All:0.98 (18.1)`.
 *
 * @returns SSIM of luma and chroma together, by frame.
 */
export const parseSsimStatistics = (text: string): number[] => [...text.matchAll(/^n:\d+ .*\bAll:([\d.]+)/gm)].map(match => Number(match[1]))

/** The elementary stream of each rendition, in the order of the pyramid. */
function elementaryStreams({ pyramid, images }: Recording): Buffer[] {
  return pyramid.renditions.map(({ id }) => {
    const frames = images.flatMap(image => image.filter(frame => frame.renditionId === id))
    return Buffer.concat(frames.map(frame => unpackH264(frame.payloads)))
  })
}

/**
 * Decodes a recording and compares every frame of every rendition with the source, cut and scaled by the
 * filters that the encoder was given.
 *
 * @returns SSIM by rendition, then by frame.
 * @throws {RelayFault} `unavailable` with ffmpeg's last words; `bad_recording` when frames are missing.
 * @see Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004
 */
export async function compareWithSource({ source, recording, settings, ffmpeg, signal }: Comparison): Promise<Map<RenditionId, number[]>> {
  await using scope = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-ssim-'))
  scope.defer(() => rm(directory, { recursive: true, force: true }))
  const { pyramid } = source
  const frameCount = recording.images.length
  for (const [index, stream] of elementaryStreams(recording).entries()) await writeFile(join(directory, `${index}.h264`), stream)
  const inputEnd = new AbortController()
  scope.defer(() => inputEnd.abort(new RelayFault('unavailable', 'the comparison has ended')))
  const input = source.input.open(inputEnd.signal)
  const rate = String(pyramid.framesPerSecond)
  const args = [
    '-hide_banner', '-nostdin', '-loglevel', 'error',
    ...input.options, '-i', typeof input.source === 'string' ? input.source : 'pipe:0',
    ...pyramid.renditions.flatMap((_, index) => ['-framerate', rate, '-f', 'h264', '-threads', '1', '-i', `${index}.h264`]),
    '-filter_complex', comparisonGraph(source, settings, frameCount),
    ...pyramid.renditions.flatMap((_, index) => ['-map', `[o${index}]`, '-f', 'null', '-']),
  ]
  const program = scope.use(
    await ChildProgram.start({
      name: 'ffmpeg', command: ffmpeg, args, cwd: directory,
      ...(typeof input.source === 'string' ? {} : { input: input.source }),
    }),
  )
  const { code } = await program.finished(COMPARE_DEADLINE, signal)
  if (code !== 0) throw new RelayFault('unavailable', `ffmpeg could not compare: ${program.lastErrorLines.join(' ')}`)
  const entries = pyramid.renditions.map(async ({ id }, index) => {
    const values = parseSsimStatistics(await readFile(join(directory, `${index}.ssim`), 'utf8'))
    if (values.length !== frameCount) throw new RelayFault('bad_recording', `${values.length} of ${frameCount} frames of ${id} could be compared`)
    return [id, values] as const
  })
  return new Map(await Promise.all(entries))
}

/** The encoder's own graph, which ends in `[r0]`, `[r1]`, …, each next to the decoded stream. Frames meet by number. */
function comparisonGraph({ pyramid, input }: PictureSource, settings: EncoderSettings, frameCount: number): string {
  const noTracks = pyramid.renditions.map(({ id, codec }) => ({ ssrc: 0, renditionId: id, codec, firstSequenceNumber: 0 }))
  const { filterGraph } = planEncoder(pyramid, `${input.filters},trim=end_frame=${frameCount}`, settings, noTracks, 0)
  const byNumber = `settb=1/${pyramid.framesPerSecond},setpts=N`
  const pairs = pyramid.renditions.map(
    (_, index) => `[r${index}]${byNumber}[a${index}];[${index + 1}:v]${byNumber}[b${index}];[a${index}][b${index}]ssim=stats_file=${index}.ssim[o${index}]`,
  )
  return [filterGraph, ...pairs].join(';')
}
