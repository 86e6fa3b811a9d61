import { OVERVIEW } from '../../relay/wire/ids.ts'
import { isRtpNewer } from '../../relay/wire/rtp-clock.ts'
import { millis, VIDEO_CLOCK_RATE } from '../../relay/wire/units.ts'
import { GopStore } from './gop-store.ts'
import { InstantClock } from './instant-clock.ts'
import { Pacer } from './pacer.ts'
import { SourceMonitor } from './source-monitor.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Cadence, Demand, SourceStatus } from '../../relay/wire/signaling.ts'
import type { BitsPerSecond, Millis, RtpTimestamp } from '../../relay/wire/units.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { EncodedFrame, StampedFrame } from './encoded-frame.ts'
import type { PacedPacket } from './pacer.ts'

/** Where packets go. */
export interface PacketSink {
  send(packet: PacedPacket): void
}

/** An image as it came from the source. */
export interface ArrivedImage {
  readonly timestamp: RtpTimestamp
  /** When its first rendition arrived, on the pump's clock. */
  readonly arrivedAt: Millis
}

/** What {@link FramePump} needs. */
export interface FramePumpOptions {
  readonly pyramid: Pyramid
  readonly clock: Clock
  /** Timestamp of the first image. */
  readonly origin: RtpTimestamp
  /** The source makes only what is demanded: fewer images are no fault of it while nothing but keyframes is. */
  readonly followsDemand: boolean
  /** Told of every frame that the source delivers. */
  readonly onFrame?: ((timestamp: RtpTimestamp, mediaTicks: number) => void) | undefined
  /** Told of every frame that has its place on the RTP clock. */
  readonly onStamped?: ((frame: StampedFrame) => void) | undefined
  /** Told of every packet, after the sink took it. */
  readonly onSent?: ((packet: PacedPacket) => void) | undefined
}

/** How long a frame may wait to be sent: longer than a busy machine stalls a process now and then, shorter than people notice as a delay. */
const MAX_DELAY = millis(500)
/** A line with a limit spends at most so much of its time on beginning anew with what is past: it has little to spare. */
const REPLAY_TIME = millis(40)
/** A group of pictures whose newest frame is older than this is not of the picture any more. */
const MAX_GOP_AGE_FRAMES = 6
/** What is sent before the node has said what it wants. */
const UNASKED: ReadonlyMap<RenditionId, Cadence> = new Map([[OVERVIEW, 'key']])

/**
 * Carries frames from whatever source runs to whatever connection there is: puts them on the common
 * clock, paces those that are demanded, and lets the others go.
 */
export class FramePump {
  readonly #options: FramePumpOptions
  readonly #instants: InstantClock
  readonly #monitor: SourceMonitor
  #newest: ArrivedImage | undefined
  #output: { readonly sink: PacketSink; readonly pacer: Pacer } | undefined
  #timer: NodeJS.Timeout | undefined
  #framesUnplaced = 0
  readonly #gops = new GopStore()
  #demanded: ReadonlyMap<RenditionId, Cadence> = UNASKED
  /** Of the last demand. */
  #serial = -1
  #limit: BitsPerSecond | undefined

  constructor(options: FramePumpOptions) {
    this.#options = options
    this.#instants = new InstantClock({ origin: options.origin, frameInterval: this.#frameInterval })
    this.#monitor = new SourceMonitor(options.pyramid.framesPerSecond)
    this.#monitor.expectFullRate(!options.followsDemand)
  }

  /** The source begins anew: its media time starts at 0. */
  sourceStarted(): void {
    this.#instants.restart()
  }

  /** The source died. */
  sourceFailed(fault: FaultCode): void {
    this.#monitor.failed(fault)
  }

  /** How the source is doing now. */
  get status(): SourceStatus {
    return this.#monitor.status(this.#options.clock.now())
  }

  /** The image that came last; undefined before the first. */
  get newestImage(): ArrivedImage | undefined {
    return this.#newest
  }

  /** Sends to `sink` what is demanded; until a demand comes, the overview's keyframes. */
  attach(sink: PacketSink): void {
    this.#demanded = UNASKED
    this.#monitor.expectFullRate(!this.#options.followsDemand)
    this.#serial = -1
    const renditionIds = this.#options.pyramid.renditions.map(({ id }) => id)
    const pacer = new Pacer({ renditionIds, frameInterval: this.#frameInterval, maxDelay: MAX_DELAY })
    pacer.limit(this.#limit, this.#options.clock.now())
    this.#output = { sink, pacer }
  }

  /** Nobody listens any more. */
  detach(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#output = undefined
  }

  /**
   * Sends exactly this from now on. What is woken begins with its last keyframe and what followed it, as
   * far as a narrow line has room for that; the rest with its next one.
   */
  demand({ serial, renditions, woken }: Demand): void {
    if (serial <= this.#serial) return
    this.#serial = serial
    const before = this.#demanded
    this.#demanded = new Map(renditions.map(({ renditionId, cadence }) => [renditionId, cadence]))
    this.#monitor.expectFullRate(!this.#options.followsDemand || renditions.some(({ cadence }) => cadence === 'full'))
    const pacer = this.#output?.pacer
    if (pacer === undefined) return
    pacer.prioritise(renditions.map(({ renditionId }) => renditionId))
    for (const id of before.keys()) if (!this.#demanded.has(id)) pacer.release(id)
    const wakes = new Set(woken)
    const now = this.#options.clock.now()
    let room = this.#limit === undefined ? Infinity : (this.#limit / 8000) * REPLAY_TIME
    for (const { renditionId } of renditions) {
      if (!wakes.has(renditionId)) continue
      const { frames, bytes } = this.#currentGop(renditionId)
      const fits = bytes <= room
      pacer.restart(renditionId, fits ? frames : [], now)
      if (fits) room -= bytes
    }
    this.#wake()
  }

  /** Never sends faster than this; undefined lifts the limit. */
  limit(rate: BitsPerSecond | undefined): void {
    this.#limit = rate
    this.#output?.pacer.limit(rate, this.#options.clock.now())
  }

  /** Where an image stands on the RTP clock; undefined for one that never came, or long ago. */
  timestampOf(mediaTicks: number): RtpTimestamp | undefined {
    return this.#instants.known(mediaTicks)
  }

  /** The media time of the image that has a timestamp; undefined for one that never came, came long ago, or from an earlier run of the source. */
  mediaTicksOf(timestamp: RtpTimestamp): number | undefined {
    return this.#instants.mediaTicksOf(timestamp)
  }

  /** Takes one frame from the source. */
  push(frame: EncodedFrame): void {
    const now = this.#options.clock.now()
    const timestamp = this.#instants.timestampOf(frame.mediaTicks, now, frame.isCoarse)
    if (timestamp === undefined) {
      this.#framesUnplaced++
      return
    }
    // The first rendition of an image counts it; stragglers of an earlier one do not.
    if (this.#newest === undefined || isRtpNewer(timestamp, this.#newest.timestamp)) {
      this.#newest = { timestamp, arrivedAt: now }
      this.#monitor.imageArrived(now)
    }
    this.#options.onFrame?.(timestamp, frame.mediaTicks)
    const stamped = { ...frame, timestamp }
    this.#gops.push(stamped)
    this.#options.onStamped?.(stamped)
    const cadence = this.#demanded.get(frame.renditionId)
    if (this.#output === undefined || cadence === undefined || (cadence === 'key' && !frame.isKeyFrame)) return
    this.#output.pacer.push(stamped, now)
    this.#wake()
  }

  /** Frames that did not leave since the last call, by cause. */
  takeDropped(): { readonly framesDropped: number; readonly framesUnplaced: number } {
    const framesUnplaced = this.#framesUnplaced
    this.#framesUnplaced = 0
    return { framesDropped: this.#output?.pacer.takeDropped() ?? 0, framesUnplaced }
  }

  get #frameInterval() {
    return millis(1000 / this.#options.pyramid.framesPerSecond)
  }

  #currentGop(id: RenditionId): { readonly frames: readonly StampedFrame[]; readonly bytes: number } {
    if (this.#newest === undefined) return { frames: [], bytes: 0 }
    return this.#gops.current(id, this.#newest.timestamp, MAX_GOP_AGE_FRAMES * this.#frameInterval * (VIDEO_CLOCK_RATE / 1000))
  }

  #wake(): void {
    this.#timer ??= setTimeout(() => this.#step(), 0)
  }

  #step(): void {
    this.#timer = undefined
    if (this.#output === undefined) return
    const { sink, pacer } = this.#output
    const now = this.#options.clock.now()
    const { send, wakeAt } = pacer.step(now)
    for (const packet of send) {
      sink.send(packet)
      this.#options.onSent?.(packet)
    }
    if (wakeAt !== undefined) this.#timer = setTimeout(() => this.#step(), wakeAt - now)
  }
}
