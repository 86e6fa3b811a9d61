import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeIndex, encodeIndexedFrame, framesInTime, FrameScanner, INDEX_RECORD_BYTES } from '../../relay/recordings/frame-index.ts'
import { FlowedManifest, MANIFEST_FILE } from '../../relay/recordings/manifest.ts'
import { parseRtp } from '../../relay/recordings/rtp-packet.ts'
import { rtpdumpRecords, rtpdumpStart } from '../../relay/recordings/rtpdump.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import { RECORDING_FILES, RecordingHeader } from './recording-files.ts'
import type { IndexedFrame } from '../../relay/recordings/frame-index.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { RecordedSpan } from '../../relay/wire/recording.ts'
import type { RenditionCodec } from '../../relay/wire/pyramid.ts'
import type { RecordingSummaryFile } from './recording-files.ts'

/** What is read at once of a file whose index ends too early. */
const SCAN_BYTES = 4 * 1024 * 1024
/** Without an image for longer there is a gap, in milliseconds. */
const GAP_MILLIS = 2000
/** A rendition of which nothing came for longer did not flow, in milliseconds. */
const PAUSE_MILLIS = 1000
const MAX_GAPS = 1000
const MAX_SPANS = 10_000

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code

/** One publication of a recording. */
export class RecordedSegment {
  readonly index: number
  readonly directory: string
  readonly manifest: FlowedManifest
  readonly #frames = new Map<RenditionId, Promise<readonly IndexedFrame[]>>()

  constructor(index: number, directory: string, manifest: FlowedManifest) {
    this.index = index
    this.directory = directory
    this.manifest = manifest
  }

  /** Milliseconds since the recording began, of a point on the clock of the files. */
  millisOf(ticks: number): number {
    return this.manifest.startMillis + ((ticks - this.manifest.originTicks) * 1000) / VIDEO_CLOCK_RATE
  }

  /** The reverse of {@link millisOf}. */
  ticksOf(positionMillis: number): number {
    return Math.round(this.manifest.originTicks + ((positionMillis - this.manifest.startMillis) * VIDEO_CLOCK_RATE) / 1000)
  }

  /** Where the packets of a rendition are. */
  path(id: RenditionId): string {
    return join(this.directory, `${id}.rtpdump`)
  }

  /** The frames of a rendition in the order of time; none where it never flowed. */
  frames(id: RenditionId): Promise<readonly IndexedFrame[]> {
    let frames = this.#frames.get(id)
    if (frames === undefined) {
      frames = this.#read(id)
      this.#frames.set(id, frames)
    }
    return frames
  }

  /** Completes the index of every rendition, where its program ended before it was written. */
  async repair(): Promise<void> {
    for (const { id, codec } of this.manifest.pyramid.renditions) await repairIndex(this.path(id), join(this.directory, `${id}.index`), codec)
  }

  async #read(id: RenditionId): Promise<readonly IndexedFrame[]> {
    try {
      const { size } = await stat(this.path(id))
      return framesInTime(decodeIndex(await readFile(join(this.directory, `${id}.index`)), size))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }
}

/** Appends to an index what is whole in its rtpdump file and missing in it; makes one where there is none. */
async function repairIndex(dumpPath: string, indexPath: string, codec: RenditionCodec): Promise<void> {
  let fileBytes: number
  try {
    fileBytes = (await stat(dumpPath)).size
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const index = await readFile(indexPath).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return Buffer.alloc(0)
    throw error
  })
  const known = decodeIndex(index, fileBytes)
  const last = known.at(-1)
  const end = last === undefined ? 0 : last.offset + last.byteLength
  // From the last keyframe on, so that what follows it counts.
  const from = known.findLast(({ isKeyFrame }) => isKeyFrame)?.offset
  const found = (await scanFrames(dumpPath, codec, from)).filter(({ offset }) => offset >= end)
  if (found.length === 0 && index.length === known.length * INDEX_RECORD_BYTES) return
  await writeFile(indexPath, Buffer.concat([index.subarray(0, known.length * INDEX_RECORD_BYTES), ...found.map(encodeIndexedFrame)]), { mode: 0o600, flush: true })
}

/** The frames in an rtpdump file, from a record on, up to where it is cut off or damaged. */
async function scanFrames(path: string, codec: RenditionCodec, from: number | undefined): Promise<IndexedFrame[]> {
  await using file = await open(path, 'r')
  const scanner = new FrameScanner(codec)
  const frames: IndexedFrame[] = []
  const buffer = Buffer.allocUnsafe(SCAN_BYTES)
  try {
    const head = await file.read(buffer, 0, 256, 0)
    let at = from ?? rtpdumpStart(buffer.subarray(0, head.bytesRead))
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, SCAN_BYTES, at)
      const before = at
      for (const { packet, offset: time, byteLength } of rtpdumpRecords(buffer.subarray(0, bytesRead))) {
        const rtp = parseRtp(packet)
        const frame = rtp && scanner.push({ ...rtp, payload: Buffer.from(rtp.payload.subarray(0, 64)) }, { offset: at, byteLength, time })
        if (frame !== undefined) frames.push(frame)
        at += byteLength
      }
      if (at === before) return frames
    }
  } catch (error) {
    // What comes after a damage cannot be found; what was before it can be shown.
    if (error instanceof RelayFault) return frames
    throw error
  }
}

/** A recording on disk. */
export class RecordedConsultation {
  readonly header: RecordingHeader
  readonly segments: readonly RecordedSegment[]

  private constructor(header: RecordingHeader, segments: readonly RecordedSegment[]) {
    this.header = header
    this.segments = segments
  }

  /** @throws {RelayFault} `bad_recording` when the directory holds none that can be read. */
  static async open(directory: string): Promise<RecordedConsultation> {
    try {
      const header = RecordingHeader.parse(JSON.parse(await readFile(join(directory, RECORDING_FILES.header), 'utf8')))
      const names = (await readdir(directory)).filter(name => /^\d{1,4}$/.test(name)).sort((a, b) => Number(a) - Number(b))
      const segments: RecordedSegment[] = []
      for (const name of names) {
        const text = await readFile(join(directory, name, MANIFEST_FILE), 'utf8').catch(() => '')
        // The node ended before it was written: nothing of that publication is there.
        if (text.endsWith('\n')) segments.push(new RecordedSegment(Number(name), join(directory, name), FlowedManifest.parse(JSON.parse(text))))
      }
      return new RecordedConsultation(header, segments)
    } catch (cause) {
      throw new RelayFault('bad_recording', 'the recording cannot be read', { cause })
    }
  }

  /** Completes what a node that was killed left behind. */
  async repair(): Promise<void> {
    for (const segment of this.segments) await segment.repair()
  }

  /** How long it is, what flowed when, and when nothing did. @param durationMillis - Where it is known. */
  async survey(durationMillis?: number): Promise<Pick<RecordingSummaryFile, 'durationMillis' | 'gaps' | 'flowed'>> {
    const flowed: RecordingSummaryFile['flowed'] = []
    for (const segment of this.segments) {
      for (const { id } of segment.manifest.pyramid.renditions) {
        const times = (await segment.frames(id)).map(({ ticks }) => Math.max(0, segment.millisOf(ticks)))
        if (times.length > 0) flowed.push({ segment: segment.index, renditionId: id, spans: spansOf(times, PAUSE_MILLIS).slice(0, MAX_SPANS) })
      }
    }
    const ends = flowed.flatMap(({ spans }) => spans.map(({ toMillis }) => toMillis))
    const duration = durationMillis ?? ends.reduce((most, end) => Math.max(most, end), 0)
    return { durationMillis: duration, gaps: gapsOf(flowed.flatMap(({ spans }) => spans), duration), flowed }
  }
}

const round = (value: number): number => Math.round(value)

/** Stretches within which no pause is longer than `pauseMillis`. */
function spansOf(times: readonly number[], pauseMillis: number): RecordedSpan[] {
  const spans: { fromMillis: number; toMillis: number }[] = []
  for (const time of times) {
    const last = spans.at(-1)
    if (last !== undefined && time - last.toMillis <= pauseMillis) last.toMillis = round(time)
    else spans.push({ fromMillis: round(time), toMillis: round(time) })
  }
  return spans
}

/** What no span covers, where that is long enough to be noticed. */
function gapsOf(spans: readonly RecordedSpan[], durationMillis: number): RecordedSpan[] {
  const gaps: RecordedSpan[] = []
  let at = 0
  for (const { fromMillis, toMillis } of [...spans].sort((a, b) => a.fromMillis - b.fromMillis)) {
    if (fromMillis - at > GAP_MILLIS) gaps.push({ fromMillis: at, toMillis: fromMillis })
    at = Math.max(at, toMillis)
  }
  if (durationMillis - at > GAP_MILLIS) gaps.push({ fromMillis: at, toMillis: round(durationMillis) })
  return gaps.slice(0, MAX_GAPS)
}
