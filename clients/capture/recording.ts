import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { MAX_GRID, RenditionId } from '../../relay/wire/ids.ts'
import { Pyramid } from '../../relay/wire/pyramid.ts'
import { VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import { RtpIngest } from './rtp-ingest.ts'
import { readRtpdump } from '../../relay/recordings/rtpdump.ts'
import type { EncodedFrame } from './encoded-frame.ts'

/** The file in a recording's directory that describes the others. */
export const MANIFEST_FILE = 'recording.json'

/** A recording is replayed from memory, so it has to fit. */
export const MAX_RECORDING_BYTES = 2 * 1024 ** 3

const RecordedRendition = z.strictObject({
  id: RenditionId,
  /** An rtpdump file in the same directory. */
  file: z.string().regex(/^[a-z0-9-]{1,32}\.rtpdump$/, 'expected a plain file name ending in .rtpdump'),
  byteLength: z.int().min(1).max(MAX_RECORDING_BYTES),
  sha256: z.hex().length(64),
})

/**
 * `recording.json`: renditions that were encoded earlier. The RTP timestamps of all files share one
 * clock that begins at 0, and the sequence numbers of each begin at 0.
 */
export const RecordingManifest = z.strictObject({
  version: z.literal(2),
  pyramid: Pyramid,
  frameCount: z.int().min(1).max(100_000),
  renditions: z
    .array(RecordedRendition)
    .min(2)
    .max(MAX_GRID * MAX_GRID + 2),
})
export type RecordingManifest = z.infer<typeof RecordingManifest>

/** The SSRC of rendition `index` in the files of a recording. */
export const recordedSsrc = (index: number): number => index + 1

/** Media time of image `index`, in RTP ticks since the first. */
export const imageTicks = (index: number, framesPerSecond: number): number =>
  Math.round((index * VIDEO_CLOCK_RATE) / framesPerSecond)

/** A recording in memory: for each image, the frames of all renditions in the order of the pyramid. */
export interface Recording {
  readonly pyramid: Pyramid
  readonly images: readonly (readonly EncodedFrame[])[]
  readonly byteLength: number
}

const bad = (message: string, cause?: unknown): RelayFault => new RelayFault('bad_recording', message, { cause })

/**
 * Reads and checks `recording.json`.
 *
 * @throws {RelayFault} `bad_recording` when the directory holds no recording this program can play.
 */
export async function readManifest(directory: string): Promise<RecordingManifest> {
  let json: unknown
  try {
    json = JSON.parse(await readFile(join(directory, MANIFEST_FILE), 'utf8'))
  } catch (cause) {
    throw bad(cause instanceof SyntaxError ? `${MANIFEST_FILE} is not JSON` : `no readable ${MANIFEST_FILE} in the directory`, cause)
  }
  const result = RecordingManifest.safeParse(json)
  if (!result.success) throw bad(`${MANIFEST_FILE} does not describe a recording: ${z.prettifyError(result.error)}`)
  const manifest = result.data
  const recorded = manifest.renditions.map(rendition => rendition.id).join()
  if (recorded !== manifest.pyramid.renditions.map(rendition => rendition.id).join()) {
    throw bad(`the files of ${MANIFEST_FILE} are not the renditions of its pyramid`)
  }
  return manifest
}

/**
 * Loads a recording into memory and checks every packet of it.
 *
 * @throws {RelayFault} `bad_recording` when anything is missing, damaged or too large.
 */
export async function loadRecording(directory: string): Promise<Recording> {
  const manifest = await readManifest(directory)
  const byteLength = manifest.renditions.reduce((sum, rendition) => sum + rendition.byteLength, 0)
  if (byteLength > MAX_RECORDING_BYTES) throw bad(`the recording is larger than ${MAX_RECORDING_BYTES} bytes`)
  const perRendition = await Promise.all(manifest.renditions.map((_, index) => loadRendition(directory, manifest, index)))
  const images = Array.from({ length: manifest.frameCount }, (_, image) =>
    perRendition.flatMap(frames => frames[image] ?? []),
  )
  return { pyramid: manifest.pyramid, images, byteLength }
}

async function readRecordedFile(path: string, expectedBytes: number, sha256: string, id: RenditionId): Promise<Buffer> {
  let file: Buffer
  try {
    // Looked at first, so that a file that grew does not fill the memory.
    if ((await stat(path)).size !== expectedBytes) throw bad(`the file of ${id} has the wrong length`)
    file = await readFile(path)
  } catch (cause) {
    throw cause instanceof RelayFault ? cause : bad(`the file of ${id} cannot be read`, cause)
  }
  if (createHash('sha256').update(file).digest('hex') !== sha256) throw bad(`the file of ${id} is damaged`)
  return file
}

async function loadRendition(directory: string, manifest: RecordingManifest, index: number): Promise<readonly EncodedFrame[]> {
  const recorded = manifest.renditions[index]
  const rendition = manifest.pyramid.renditions[index]
  if (recorded === undefined || rendition === undefined) throw new Error('manifest and pyramid were compared before')
  const file = await readRecordedFile(join(directory, recorded.file), recorded.byteLength, recorded.sha256, recorded.id)
  const ingest = new RtpIngest([
    { ssrc: recordedSsrc(index), renditionId: rendition.id, codec: rendition.codec, firstSequenceNumber: 0 },
  ])
  const frames: EncodedFrame[] = []
  let packets = 0
  for (const packet of readRtpdump(file)) {
    packets++
    const frame = ingest.push(packet)
    if (frame !== undefined) frames.push(frame)
  }
  const { lost, notRtp, unknownSsrc } = ingest.takeCounts()
  const isOnGrid = frames.every((frame, image) => frame.mediaTicks === imageTicks(image, manifest.pyramid.framesPerSecond))
  const held = frames.reduce((sum, frame) => sum + frame.payloads.length, 0)
  if (frames.length !== manifest.frameCount || held !== packets || lost + notRtp + unknownSsrc > 0 || !isOnGrid) {
    throw bad(`the file of ${recorded.id} does not hold ${manifest.frameCount} whole frames`)
  }
  return frames
}
