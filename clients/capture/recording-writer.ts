import { createHash } from 'node:crypto'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis, rtpTimestamp, VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import { imageTicks, MANIFEST_FILE, recordedSsrc } from './recording.ts'
import { rtpdumpHeader, rtpdumpRecord } from '../../relay/recordings/rtpdump.ts'
import { serializeRtp } from '../../relay/recordings/rtp-packet.ts'
import type { Hash } from 'node:crypto'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid, RenditionCodec } from '../../relay/wire/pyramid.ts'
import type { EncodedFrame } from './encoded-frame.ts'
import type { RecordingManifest } from './recording.ts'

/** RTP payload types in recorded files; replay assigns its own. */
const RECORDED_PAYLOAD_TYPES: Readonly<Record<RenditionCodec, number>> = { H264: 96, VP9: 98 }

/** One rendition on its way to its file. */
class RenditionFile {
  readonly id: RenditionId
  readonly name: string
  readonly #descriptor: number
  readonly #ssrc: number
  readonly #payloadType: number
  readonly #hash: Hash = createHash('sha256')
  #sequenceNumber = 0
  #byteLength = 0
  frameCount = 0

  constructor(id: RenditionId, codec: RenditionCodec, index: number, descriptor: number) {
    this.id = id
    this.name = `${id}.rtpdump`
    this.#descriptor = descriptor
    this.#ssrc = recordedSsrc(index)
    this.#payloadType = RECORDED_PAYLOAD_TYPES[codec]
  }

  get entry(): RecordingManifest['renditions'][number] {
    return { id: this.id, file: this.name, byteLength: this.#byteLength, sha256: this.#hash.copy().digest('hex') }
  }

  /** Synchronous, so that frames need no queue of their own: the encoder is many times slower than any disk. */
  write(bytes: Buffer): void {
    this.#hash.update(bytes)
    this.#byteLength += bytes.length
    writeFileSync(this.#descriptor, bytes)
  }

  writeFrame(frame: EncodedFrame): void {
    const offset = millis((frame.mediaTicks * 1000) / VIDEO_CLOCK_RATE)
    const records = frame.payloads.map((payload, index) => {
      const packet = serializeRtp({
        payloadType: this.#payloadType,
        marker: index === frame.payloads.length - 1,
        sequenceNumber: this.#sequenceNumber++,
        timestamp: rtpTimestamp(frame.mediaTicks),
        ssrc: this.#ssrc,
        payload,
      })
      return rtpdumpRecord(packet, offset)
    })
    this.frameCount++
    this.write(Buffer.concat(records))
  }
}

/** Finishing replaces the destination, so nothing may be there but a recording. */
async function refuseForeignDirectory(destination: string): Promise<void> {
  let names: string[]
  try {
    names = await readdir(destination)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
    throw cause
  }
  if (names.some(name => name !== MANIFEST_FILE && !name.endsWith('.rtpdump'))) {
    throw new RelayFault('bad_config', 'the directory for the recording exists and holds other files')
  }
}

/**
 * Writes a recording: into a temporary directory beside its destination, which takes its place only
 * when the recording is whole.
 */
export class RecordingWriter implements AsyncDisposable {
  readonly #pyramid: Pyramid
  readonly #frameCount: number
  readonly #destination: string
  readonly #temporary: string
  readonly #files: ReadonlyMap<RenditionId, RenditionFile>
  readonly #scope: AsyncDisposableStack

  private constructor(
    pyramid: Pyramid,
    frameCount: number,
    directories: { destination: string; temporary: string },
    files: readonly RenditionFile[],
    scope: AsyncDisposableStack,
  ) {
    this.#pyramid = pyramid
    this.#frameCount = frameCount
    this.#destination = directories.destination
    this.#temporary = directories.temporary
    this.#files = new Map(files.map(file => [file.id, file]))
    this.#scope = scope
  }

  /**
   * @param frameCount - Frames per rendition; more are ignored, fewer make {@link finish} fail.
   * @throws {RelayFault} `bad_config` when the destination cannot be written.
   */
  static async open(destination: string, pyramid: Pyramid, frameCount: number): Promise<RecordingWriter> {
    await using scope = new AsyncDisposableStack()
    try {
      await refuseForeignDirectory(destination)
      const parent = dirname(resolve(destination))
      await mkdir(parent, { recursive: true })
      const temporary = await mkdtemp(join(parent, '.recording-'))
      scope.defer(() => rm(temporary, { recursive: true, force: true }))
      const files: RenditionFile[] = []
      for (const [index, { id, codec }] of pyramid.renditions.entries()) {
        const descriptor = openSync(join(temporary, `${id}.rtpdump`), 'w')
        scope.defer(() => closeSync(descriptor))
        const file = new RenditionFile(id, codec, index, descriptor)
        file.write(rtpdumpHeader())
        files.push(file)
      }
      return new RecordingWriter(pyramid, frameCount, { destination, temporary }, files, scope.move())
    } catch (cause) {
      throw cause instanceof RelayFault ? cause : new RelayFault('bad_config', 'the directory for the recording cannot be written', { cause })
    }
  }

  /** Frames that every rendition has by now. */
  get progress(): number {
    return Math.min(...Array.from(this.#files.values(), file => file.frameCount))
  }

  /** Whether every rendition has all its frames. */
  get isComplete(): boolean {
    return this.progress >= this.#frameCount
  }

  /**
   * Appends one frame to its rendition.
   *
   * @throws {RelayFault} `bad_rtp` when a frame before it is missing: a recording is whole or none.
   */
  append(frame: EncodedFrame): void {
    const file = this.#files.get(frame.renditionId)
    if (file === undefined) throw new Error('a frame of a rendition that is not in the pyramid')
    if (file.frameCount >= this.#frameCount) return
    if (frame.mediaTicks !== imageTicks(file.frameCount, this.#pyramid.framesPerSecond)) {
      throw new RelayFault('bad_rtp', `frame ${file.frameCount} of ${frame.renditionId} was lost between the encoder and the recording`)
    }
    if (file.frameCount === 0 && !frame.isKeyFrame) {
      throw new RelayFault('encoder_failed', `the encoder began ${frame.renditionId} without a keyframe`)
    }
    file.writeFrame(frame)
  }

  /**
   * Puts the recording in its place; one that was there before goes.
   *
   * @throws {RelayFault} `bad_recording` when frames are missing.
   */
  async finish(): Promise<RecordingManifest> {
    if (!this.isComplete) {
      throw new RelayFault('bad_recording', `the source ended after ${this.progress} of ${this.#frameCount} frames`)
    }
    const renditions = Array.from(this.#files.values(), file => file.entry)
    const manifest: RecordingManifest = { version: 2, pyramid: this.#pyramid, frameCount: this.#frameCount, renditions }
    await writeFile(join(this.#temporary, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, 2)}\n`)
    await rm(this.#destination, { recursive: true, force: true })
    await rename(this.#temporary, this.#destination)
    return manifest
  }

  /** Closes all files; without {@link finish}, nothing remains. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync()
  }
}
