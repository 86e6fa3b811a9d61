import { randomInt } from 'node:crypto'
import { Readable } from 'node:stream'
import { VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import { planTileEncoder } from './encoder-arguments.ts'
import { FfmpegProcess } from './ffmpeg-process.ts'
import { RtpIngest } from './rtp-ingest.ts'
import { i420Bytes } from './specimen.ts'
import type { Cadence } from '../../relay/wire/signaling.ts'
import type { Rendition } from '../../relay/wire/pyramid.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { EncodedFrame, SourceEnd } from './encoded-frame.ts'
import type { EncoderSettings } from './encoder-arguments.ts'
import type { IngestCounts } from './rtp-ingest.ts'

/** What decides how an encoder is started: renditions with equal moulds can take over each other's. */
export interface EncoderMould {
  readonly rendition: Rendition
  readonly cadence: Cadence
  readonly framesPerSecond: number
}

/** What every {@link TileEncoder} of a source shares. */
export interface TileEncoderContext {
  readonly settings: EncoderSettings
  readonly ffmpegPath: string
  /** The loopback UDP port that RTP goes to. */
  readonly port: number
}

/** The image that a picture is of. */
export interface GivenImage {
  readonly mediaTicks: number
  /** See {@link EncodedFrame}. */
  readonly isCoarse?: boolean | undefined
}

/** A picture that an encoder has not given back as a frame yet. */
interface Outstanding extends GivenImage {
  readonly since: Millis
}

/** A name that equal moulds share. */
export const mouldKey = ({ rendition: { id, width, height, bitsPerSecond }, cadence }: EncoderMould): string =>
  [id.split('-', 1)[0], `${width}x${height}`, bitsPerSecond, cadence].join(' ')

/**
 * One ffmpeg process that encodes one rendition, picture by picture, as they are given. Started without
 * a rendition, it waits for its first picture; that becomes a keyframe at once.
 */
export class TileEncoder implements AsyncDisposable {
  readonly mould: EncoderMould
  readonly ssrc: number
  readonly #process: FfmpegProcess
  readonly #input: Readable
  readonly #firstSequenceNumber: number
  /** One at most, so that no picture waits behind another. */
  #outstanding: Outstanding | undefined
  readonly #picture: Buffer
  #ingest: RtpIngest | undefined
  #rendition: Rendition
  #written = 0
  #completed = 0

  private constructor(mould: EncoderMould, context: TileEncoderContext, phase: number) {
    const { rendition, cadence } = mould
    const { width, height } = rendition
    this.mould = mould
    this.#rendition = rendition
    // ffmpeg takes a signed 32-bit number.
    this.ssrc = randomInt(1, 2 ** 31 - 1)
    this.#firstSequenceNumber = randomInt(0, 0x8000)
    this.#picture = Buffer.allocUnsafeSlow(i420Bytes(width, height))
    this.#input = new Readable({ read: () => undefined })
    const framesPerSecond = cadence === 'key' ? 1 : mould.framesPerSecond
    const plan = planTileEncoder({ rendition, framesPerSecond, phase }, context.settings, { ssrc: this.ssrc, firstSequenceNumber: this.#firstSequenceNumber }, context.port)
    // Without `fpsprobesize`, ffmpeg reads many pictures before it encodes one when the frame rate is below 5.
    const options = ['-fpsprobesize', '0', '-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', `${width}x${height}`, '-framerate', String(framesPerSecond)]
    this.#process = FfmpegProcess.open({ source: this.#input, options }, plan, context.ffmpegPath)
  }

  /**
   * Starts ffmpeg; whatever keeps it from running settles {@link closed}.
   *
   * @param phase - Staggers keyframes: give each encoder another one.
   */
  static start(mould: EncoderMould, context: TileEncoderContext, phase: number): TileEncoder {
    return new TileEncoder(mould, context, phase)
  }

  /** Settles once the process is gone. Never rejects. */
  get closed(): Promise<SourceEnd> {
    return this.#process.closed
  }

  /** Gives it a rendition of its mould, before its first picture. */
  assign(rendition: Rendition): void {
    this.#rendition = rendition
  }

  get rendition(): Rendition {
    return this.#rendition
  }

  /** Whether its first frame has yet to come. */
  get isStarting(): boolean {
    return this.#completed === 0
  }

  /** When the picture was given that it has not encoded yet; undefined when it can take one. */
  get busySince(): Millis | undefined {
    return this.#outstanding?.since
  }

  /**
   * Encodes one picture. Only for an encoder that is not busy.
   *
   * @param draw - Fills the picture, I420.
   */
  encode(draw: (picture: Buffer) => void, image: GivenImage, now: Millis): void {
    if (this.#outstanding !== undefined) throw new Error('the encoder is busy')
    // Its last picture has come out encoded, so nothing reads these bytes any more.
    draw(this.#picture)
    this.#written++
    this.#outstanding = { ...image, since: now }
    this.#input.push(this.#picture)
  }

  /** Takes one datagram of its {@link ssrc}; returns a frame when it completes one. */
  receive(datagram: Buffer): EncodedFrame | undefined {
    const { id: renditionId, codec } = this.#rendition
    this.#ingest ??= new RtpIngest([{ ssrc: this.ssrc, renditionId, codec, firstSequenceNumber: this.#firstSequenceNumber }])
    const frame = this.#ingest.push(datagram)
    if (frame === undefined) return undefined
    const { cadence, framesPerSecond } = this.mould
    const index = Math.round((frame.mediaTicks * (cadence === 'key' ? 1 : framesPerSecond)) / VIDEO_CLOCK_RATE)
    const given = this.#outstanding
    if (given === undefined || index !== this.#written - 1) return undefined
    this.#outstanding = undefined
    this.#completed++
    return { ...frame, mediaTicks: given.mediaTicks, isCoarse: given.isCoarse }
  }

  /** False once packets were lost before anything was received: what follows cannot be placed. */
  get isAligned(): boolean {
    return this.#ingest?.isAligned ?? true
  }

  /** What was refused or lost since the last call. */
  takeCounts(): IngestCounts | undefined {
    return this.#ingest?.takeCounts()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#input.push(null)
    await this.#process[Symbol.asyncDispose]()
  }
}
