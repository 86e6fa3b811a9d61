import { setImmediate as yieldToEvents } from 'node:timers/promises'
import { Backoff } from '../../relay/wire/backoff.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis, VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import { EncoderRoster } from './encoder-roster.ts'
import { LoopbackSocket } from './loopback-socket.ts'
import { RTP_HEADER_BYTES } from '../../relay/recordings/rtp-packet.ts'
import { viewOf } from './optics.ts'
import { drawWhole } from './stills/whole-view.ts'
import { TileEncoderPool } from './tile-encoder-pool.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { Demand } from '../../relay/wire/signaling.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { EncodedFrame, FrameSource, SourceEnd, SourceImage } from './encoded-frame.ts'
import type { EncoderSettings } from './encoder-arguments.ts'
import type { SimulatedMicroscope } from './simulated-microscope.ts'
import type { SpecimenView } from './specimen.ts'
import type { StagePlace } from './stage-model.ts'
import type { GivenImage, TileEncoder } from './tile-encoder.ts'

/** What {@link StageSource} needs. */
export interface StageSourceOptions {
  readonly pyramid: Pyramid
  readonly microscope: SimulatedMicroscope
  readonly settings: EncoderSettings
  readonly spareEncoders: number
  readonly ffmpegPath: string
  readonly clock: Clock
  readonly log: Logger
}

/** Renditions of which only keyframes are wanted get one so often. */
const KEY_INTERVAL = millis(1000)
/** An image waits so long for an encoder that is still busy with the one before; then it is taken without it. */
const PATIENCE = millis(2500)
/** An encoder that is busy with one picture for so long is stuck, or a packet of it was lost. */
const STUCK_AFTER = millis(5000)
/** The same for its first picture, because on a busy machine it takes seconds to start a process. */
const STUCK_STARTING_AFTER = millis(15_000)
/** The source fails when so many encoders of one rendition, or so many spare ones, have died with no frame between. */
const MOST_DEATHS = 5
/** How many images back one can be drawn again. */
const REMEMBERED_PLACES = 512
const RESTART_BACKOFF = { first: millis(250), cap: millis(5000) }
/** In place of a rendition, for encoders that wait for one. */
const SPARE = 'spare'
/** How often trouble on the way from ffmpeg is logged, at most. */
const COUNT_INTERVAL = millis(1000)

/**
 * A simulated microscope: takes images of a specimen where its stage is, and encodes of each image
 * the renditions that are demanded, at the rate the machine can. Until something is demanded it makes
 * nothing, and the stage moves all the same.
 *
 * An image is taken when every encoder is done with the one before: images are left out, never late.
 */
export class StageSource implements FrameSource {
  readonly #options: StageSourceOptions
  readonly #onFrame: (frame: EncodedFrame) => void
  readonly #scope: AsyncDisposableStack
  readonly #roster: EncoderRoster
  readonly #pool: TileEncoderPool
  readonly #serving = new Map<RenditionId, TileEncoder>()
  readonly #bySsrc = new Map<number, TileEncoder>()
  readonly #deaths = new Map<RenditionId | typeof SPARE, Backoff>()
  readonly #closed = Promise.withResolvers<SourceEnd>()
  readonly #interval: Millis
  #timer: NodeJS.Timeout | undefined
  #firstImageAt: Millis | undefined
  #due: Millis
  readonly #keyDue = new Map<RenditionId, Millis>()
  #isDrawing = false
  /** Where the stage was for each sharp image, by media time: such an image is a function of its place. */
  readonly #places = new Map<number, StagePlace>()
  #closing: Promise<void> | undefined

  private constructor(options: StageSourceOptions, port: number, onFrame: (frame: EncodedFrame) => void, scope: AsyncDisposableStack) {
    const { pyramid, settings, spareEncoders, ffmpegPath, clock } = options
    this.#options = options
    this.#onFrame = onFrame
    this.#interval = millis(1000 / pyramid.framesPerSecond)
    this.#due = clock.now()
    this.#roster = new EncoderRoster(pyramid.renditions.map(({ id }) => id))
    this.#pool = scope.use(TileEncoderPool.open({
      moulds: pyramid.renditions.map(rendition => ({ rendition, cadence: 'full', framesPerSecond: pyramid.framesPerSecond })),
      spares: spareEncoders,
      context: { settings, ffmpegPath, port },
      clock,
      onDeath: (encoder, end) => this.#encoderDied(encoder, end),
    }))
    const countTimer = setInterval(() => this.#logCounts(), COUNT_INTERVAL)
    scope.defer(() => {
      clearTimeout(this.#timer)
      clearInterval(countTimer)
    })
    this.#scope = scope.move()
  }

  /** @throws {RelayFault} `address_in_use` when there is no loopback port to receive on. */
  static async open(options: StageSourceOptions, onFrame: (frame: EncodedFrame) => void, signal: AbortSignal): Promise<StageSource> {
    await using scope = new AsyncDisposableStack()
    const socket = scope.use(await LoopbackSocket.open())
    signal.throwIfAborted()
    const source = new StageSource(options, socket.port, onFrame, scope)
    socket.onDatagram = datagram => source.#receive(datagram)
    options.microscope.stage.restart()
    source.#closeWith(signal)
    source.#look()
    return source
  }

  get closed(): Promise<SourceEnd> {
    return this.#closed.promise
  }

  /** Encoder processes that run now, spare ones included. */
  get processes(): number {
    return this.#pool.size
  }

  demand(demand: Demand): void {
    this.#roster.demand(demand)
    // What begins now shall not wait for the next image to be due.
    if (demand.woken.length > 0) this.#due = millis(Math.min(this.#due, this.#options.clock.now()))
    this.#look()
  }

  async imageAt(mediaTicks: number): Promise<SourceImage | undefined> {
    const place = this.#places.get(mediaTicks)
    if (place === undefined) return undefined
    const planes = await drawWhole(this.#options.microscope, this.#options.pyramid, place, this.#options.clock)
    return planes && { planes, place, [Symbol.dispose]: () => undefined }
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

  /** Does what is due: called in time, when the demand changes, and when an encoder is done. */
  #look(): void {
    if (this.#closing !== undefined) return
    const now = this.#options.clock.now()
    this.#follow(now)
    this.#replaceStuck(now)
    if (now >= this.#due && !this.#isDrawing) this.#takeImage(now)
    clearTimeout(this.#timer)
    // An encoder that is waited for calls when it is done; the timer is for one that never is.
    const wait = now >= this.#due ? PATIENCE : this.#due - now
    this.#timer = setTimeout(() => this.#look(), Math.max(1, wait))
  }

  /** Starts and ends encoders as the demand has it. */
  #follow(now: Millis): void {
    const { pyramid } = this.#options
    const { stop, start } = this.#roster.step(now)
    for (const renditionId of stop) this.#endEncoder(renditionId)
    for (const { renditionId, cadence } of start) {
      this.#endEncoder(renditionId)
      const rendition = pyramid.renditions.find(({ id }) => id === renditionId)
      if (rendition === undefined) continue
      const encoder = this.#pool.take(rendition, { rendition, cadence, framesPerSecond: pyramid.framesPerSecond })
      this.#serving.set(renditionId, encoder)
      this.#bySsrc.set(encoder.ssrc, encoder)
    }
  }

  #endEncoder(renditionId: RenditionId): void {
    const encoder = this.#serving.get(renditionId)
    if (encoder === undefined) return
    this.#forget(encoder)
    this.#pool.end(encoder)
  }

  #forget(encoder: TileEncoder): void {
    this.#serving.delete(encoder.rendition.id)
    this.#bySsrc.delete(encoder.ssrc)
    this.#keyDue.delete(encoder.rendition.id)
  }

  #replaceStuck(now: Millis): void {
    for (const encoder of [...this.#serving.values()]) {
      const limit = encoder.isStarting ? STUCK_STARTING_AFTER : STUCK_AFTER
      if (encoder.busySince === undefined || now - encoder.busySince < limit) continue
      this.#giveUp(encoder, now, new RelayFault('encoder_failed', 'an encoder took too long'))
    }
  }

  #giveUp(encoder: TileEncoder, now: Millis, fault: RelayFault): void {
    this.#endEncoder(encoder.rendition.id)
    this.#roster.failed(encoder.rendition.id, now, this.#countDeath(encoder.rendition.id, fault))
  }

  #takeImage(now: Millis): void {
    const { pyramid, microscope: { optics, specimen, stage } } = this.#options
    const place = stage.advance(now)
    const encoders = [...this.#serving.values()]
    const isHeldUp = encoders.some(({ mould, isStarting, busySince }) =>
      mould.cadence === 'full' && !isStarting && busySince !== undefined && now - busySince < PATIENCE)
    if (isHeldUp) return
    // Time that was missed is not made up for: fewer images, not older ones.
    this.#due = millis(Math.max(this.#due, now - this.#interval) + this.#interval)
    const taking = encoders.filter(encoder => encoder.busySince === undefined && this.#isWanted(encoder, now))
    if (taking.length === 0) {
      stage.report(undefined)
      return
    }
    this.#firstImageAt ??= now
    const mediaTicks = Math.round(((now - this.#firstImageAt) * VIDEO_CLOCK_RATE) / 1000)
    // An image that shows its place more coarsely than the objective would is not yet the image that is waited for.
    const viewsAt = (at: StagePlace): SpecimenView[] => taking.map(({ rendition }) => viewOf(at, pyramid, rendition, optics))
    const isSharp = specimen.prepare?.(viewsAt(place), place.isMoving ? viewsAt(stage.goal) : []) ?? true
    stage.report(isSharp ? mediaTicks : undefined)
    if (isSharp) this.#places.set(mediaTicks, place)
    if (this.#places.size > REMEMBERED_PLACES) this.#places.delete(this.#places.keys().next().value ?? 0)
    this.#isDrawing = true
    void this.#draw(taking, place, pyramid.marksCoarse === true ? { mediaTicks, isCoarse: !isSharp } : { mediaTicks }).then(() => {
      this.#isDrawing = false
      this.#look()
    })
  }

  /** Draws and hands over one rendition after the other, so that the first is encoded while the next is drawn. */
  async #draw(encoders: readonly TileEncoder[], place: StagePlace, image: GivenImage): Promise<void> {
    for (const encoder of encoders) {
      // Its rendition may have come out of demand since the image was taken.
      if (this.#serving.get(encoder.rendition.id) === encoder) this.#encode(encoder, place, image)
      await yieldToEvents()
      if (this.#closing !== undefined) return
    }
  }

  #isWanted({ mould, rendition }: TileEncoder, now: Millis): boolean {
    return mould.cadence === 'full' || now >= (this.#keyDue.get(rendition.id) ?? now)
  }

  #encode(encoder: TileEncoder, place: StagePlace, image: GivenImage): void {
    const { pyramid, microscope: { optics, specimen }, clock } = this.#options
    const now = clock.now()
    const { rendition, mould } = encoder
    const view = viewOf(place, pyramid, rendition, optics)
    encoder.encode(picture => specimen.draw(view, picture), image, now)
    if (mould.cadence === 'key') this.#keyDue.set(rendition.id, millis(now + KEY_INTERVAL))
  }

  #receive(datagram: Buffer): void {
    if (this.#closing !== undefined || datagram.length < RTP_HEADER_BYTES) return
    // What an encoder sent before it was ended belongs to nobody.
    const encoder = this.#bySsrc.get(datagram.readUInt32BE(8))
    if (encoder === undefined) return
    const frame = encoder.receive(datagram)
    if (!encoder.isAligned) this.#giveUp(encoder, this.#options.clock.now(), new RelayFault('bad_rtp', 'the first packet of an encoder was lost'))
    if (frame === undefined) return
    for (const key of [frame.renditionId, SPARE] as const) this.#deaths.delete(key)
    if (frame.isKeyFrame) this.#roster.keyFrameCame(frame.renditionId, encoder.mould.cadence)
    this.#onFrame(frame)
    if (this.#options.clock.now() >= this.#due) this.#look()
  }

  #encoderDied(encoder: TileEncoder, end: SourceEnd): Millis {
    const fault = end.code === 'failed' ? end.fault : new RelayFault('encoder_failed', 'an encoder ended by itself')
    const { id } = encoder.rendition
    if (this.#serving.get(id) !== encoder) return this.#countDeath(SPARE, fault)
    const wait = this.#countDeath(id, fault)
    this.#forget(encoder)
    this.#roster.failed(id, this.#options.clock.now(), wait)
    return wait
  }

  /** How long to wait before an encoder is started in place of one that died; or the end of the source. */
  #countDeath(key: RenditionId | typeof SPARE, fault: RelayFault): Millis {
    const backoff = this.#deaths.get(key) ?? new Backoff(RESTART_BACKOFF)
    this.#deaths.set(key, backoff)
    const wait = backoff.next()
    this.#options.log.warn({ err: fault, deaths: backoff.attempts }, 'an encoder died')
    if (backoff.attempts >= MOST_DEATHS) void this.close({ code: 'failed', fault: new RelayFault('encoder_failed', fault.message, { cause: fault }) })
    return wait
  }

  #logCounts(): void {
    for (const encoder of this.#serving.values()) {
      const counts = encoder.takeCounts()
      if (counts === undefined || Object.values(counts).every(count => count === 0)) continue
      this.#options.log.warn({ code: 'bad_rtp', renditionId: encoder.rendition.id, ...counts }, 'packets from an encoder were refused or lost')
    }
  }

  async #shutdown(end: SourceEnd): Promise<void> {
    await this.#scope.disposeAsync()
    this.#closed.resolve(end)
  }
}
