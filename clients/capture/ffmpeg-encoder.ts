import { randomInt } from 'node:crypto'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis, VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import { planEncoder } from './encoder-arguments.ts'
import { FfmpegProcess } from './ffmpeg-process.ts'
import { LoopbackSocket } from './loopback-socket.ts'
import { imageTicks } from './recording.ts'
import { RtpIngest } from './rtp-ingest.ts'
import { i420Bytes } from './specimen.ts'
import { RawRing } from './stills/raw-ring.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { EncodedFrame, FrameSource, SourceEnd, SourceImage } from './encoded-frame.ts'
import type { EncoderSettings } from './encoder-arguments.ts'
import type { FfmpegInput } from './ffmpeg-process.ts'
import type { IngestTrack } from './rtp-ingest.ts'

/** What is encoded. */
export interface EncoderInput {
  /** Called once for every run of ffmpeg; what it opens ends with the signal. */
  readonly open: (signal: AbortSignal) => FfmpegInput
  /** The filter chain that yields 4:2:0 frames of the pyramid's size, BT.709, limited range. */
  readonly filters: string
}

/** What {@link FfmpegEncoder} needs. */
export interface FfmpegEncoderOptions {
  readonly pyramid: Pyramid
  readonly input: EncoderInput
  readonly settings: EncoderSettings
  readonly ffmpegPath: string
  /** Raw frames that are kept beside encoding; 0: none. */
  readonly ringFrames: number
  readonly log: Logger
}

interface EncoderRing {
  readonly frames: RawRing
  readonly framesPerSecond: number
}

/** An encoder from which nothing comes for so long is given up. */
const STALL_TIMEOUT = millis(20_000)
/** A raw frame whose encoded form is here is on its way; when no frame comes for so long, it is not waited for any more. */
const RAW_PATIENCE = millis(10_000)
/** How long packets may still wait in the socket after ffmpeg has ended. */
const DRAIN_TIME = millis(300)
/** How often trouble on the way from ffmpeg is logged, at most. */
const COUNT_INTERVAL = millis(1000)

/** One ffmpeg process that encodes every rendition, and the socket its RTP arrives on. */
export class FfmpegEncoder implements FrameSource {
  readonly #ingest: RtpIngest
  readonly #onFrame: (frame: EncodedFrame) => void
  readonly #log: Logger
  readonly #scope: AsyncDisposableStack
  readonly #closed = Promise.withResolvers<SourceEnd>()
  readonly #stallTimer: NodeJS.Timeout
  readonly #ring: EncoderRing | undefined
  #closing: Promise<void> | undefined

  private constructor(ingest: RtpIngest, onFrame: (frame: EncodedFrame) => void, log: Logger, ring: EncoderRing | undefined, scope: AsyncDisposableStack) {
    this.#ingest = ingest
    this.#ring = ring
    this.#onFrame = onFrame
    this.#log = log
    this.#scope = scope
    this.#stallTimer = setTimeout(() => this.#fail('encoder_failed', 'nothing came from the encoder for too long'), STALL_TIMEOUT)
    const countTimer = setInterval(() => this.#logCounts(), COUNT_INTERVAL)
    scope.defer(() => {
      clearTimeout(this.#stallTimer)
      clearInterval(countTimer)
    })
  }

  /**
   * Starts ffmpeg. Its failures, early ones too, settle {@link closed}.
   *
   * @throws {RelayFault} `address_in_use` when there is no loopback port to receive on.
   */
  static async open(options: FfmpegEncoderOptions, onFrame: (frame: EncodedFrame) => void, signal: AbortSignal): Promise<FfmpegEncoder> {
    const { pyramid, input, settings } = options
    await using scope = new AsyncDisposableStack()
    const socket = scope.use(await LoopbackSocket.open())
    signal.throwIfAborted()
    const tracks = trackIdentities(pyramid)
    const inputEnd = new AbortController()
    const ring = options.ringFrames === 0 ? undefined : scope.use(await RawRing.open(options.ringFrames, i420Bytes(pyramid.width, pyramid.height)))
    signal.throwIfAborted()
    const plan = planEncoder(pyramid, input.filters, settings, tracks, socket.port, ring?.path)
    const process = scope.use(FfmpegProcess.open(input.open(inputEnd.signal), plan, options.ffmpegPath))
    scope.defer(() => inputEnd.abort(new RelayFault('unavailable', 'the encoder closes')))
    const encoder = new FfmpegEncoder(new RtpIngest(tracks), onFrame, options.log, ring && { frames: ring, framesPerSecond: pyramid.framesPerSecond }, scope.move())
    socket.onDatagram = datagram => encoder.#receive(datagram)
    void process.closed.then(end => setTimeout(() => void encoder.close(end), DRAIN_TIME))
    encoder.#closeWith(signal)
    return encoder
  }

  get closed(): Promise<SourceEnd> {
    return this.#closed.promise
  }

  /** Every output of ffmpeg has the same frames, from the first on: their media time says which one it is. */
  async imageAt(mediaTicks: number): Promise<SourceImage | undefined> {
    if (this.#ring === undefined) return undefined
    const { frames, framesPerSecond } = this.#ring
    const index = Math.round((mediaTicks * framesPerSecond) / VIDEO_CLOCK_RATE)
    const held = Math.abs(imageTicks(index, framesPerSecond) - mediaTicks) > 1 ? undefined : await frames.holdWhenRead(index, RAW_PATIENCE)
    return held && { planes: held.planes, place: null, [Symbol.dispose]: () => held[Symbol.dispose]() }
  }

  close(end: SourceEnd = { code: 'done' }): Promise<void> {
    return (this.#closing ??= this.#shutdown(end))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #closeWith(signal: AbortSignal): void {
    const stop = (): void => void this.close()
    signal.addEventListener('abort', stop, { once: true })
    this.#scope.defer(() => signal.removeEventListener('abort', stop))
    if (signal.aborted) stop()
  }

  #receive(datagram: Buffer): void {
    if (this.#closing !== undefined) return
    const frame = this.#ingest.push(datagram)
    if (!this.#ingest.isAligned) this.#fail('bad_rtp', 'the first packet of a rendition was lost, so its frames cannot be placed')
    if (frame === undefined) return
    this.#stallTimer.refresh()
    this.#onFrame(frame)
  }

  #fail(code: 'bad_rtp' | 'encoder_failed', message: string): void {
    void this.close({ code: 'failed', fault: new RelayFault(code, message) })
  }

  #logCounts(): void {
    const counts = this.#ingest.takeCounts()
    if (Object.values(counts).some(count => count > 0)) this.#log.warn({ code: 'bad_rtp', ...counts }, 'packets from the encoder were refused or lost')
  }

  async #shutdown(end: SourceEnd): Promise<void> {
    await this.#scope.disposeAsync()
    this.#logCounts()
    this.#closed.resolve(end)
  }
}

/** Identities for one run of ffmpeg: nothing left over from an earlier run can be mistaken for this one. */
function trackIdentities(pyramid: Pyramid): readonly IngestTrack[] {
  // ffmpeg takes a signed 32-bit number; one for each rendition out of one random block.
  const firstSsrc = randomInt(1, 2 ** 31 - 256)
  return pyramid.renditions.map(({ id, codec }, index) => ({
    ssrc: firstSsrc + index,
    renditionId: id,
    codec,
    firstSequenceNumber: randomInt(0, 0x8000),
  }))
}
