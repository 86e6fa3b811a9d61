import { isRtpNewer } from '../../relay/wire/rtp-clock.ts'
import { millis } from '../../relay/wire/units.ts'
import { InstantClock } from './instant-clock.ts'
import { Pacer } from './pacer.ts'
import { SourceMonitor } from './source-monitor.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Pyramid } from '../../relay/wire/pyramid.ts'
import type { SourceStatus } from '../../relay/wire/signaling.ts'
import type { RtpTimestamp } from '../../relay/wire/units.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { EncodedFrame } from './encoded-frame.ts'
import type { PacedPacket } from './pacer.ts'

/** Where packets go. */
export interface PacketSink {
  send(packet: PacedPacket): void
}

/** What {@link FramePump} needs. */
export interface FramePumpOptions {
  readonly pyramid: Pyramid
  readonly clock: Clock
  /** Timestamp of the first image. */
  readonly origin: RtpTimestamp
}

/** How long a frame may wait to be sent: longer than a busy machine stalls a process now and then, shorter than people notice as a delay. */
const MAX_DELAY = millis(500)

/**
 * Carries frames from whatever source runs to whatever connection there is: puts them on the common
 * clock, paces them, and lets them go when nobody listens.
 */
export class FramePump {
  readonly #options: FramePumpOptions
  readonly #instants: InstantClock
  readonly #monitor: SourceMonitor
  #newest: RtpTimestamp | undefined
  #output: { readonly sink: PacketSink; readonly pacer: Pacer } | undefined
  #timer: NodeJS.Timeout | undefined
  #framesUnplaced = 0

  constructor(options: FramePumpOptions) {
    this.#options = options
    this.#instants = new InstantClock({ origin: options.origin, frameInterval: this.#frameInterval })
    this.#monitor = new SourceMonitor(options.pyramid.framesPerSecond)
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

  /** Sends to `sink` from each rendition's next keyframe on. */
  attach(sink: PacketSink): void {
    const renditionIds = this.#options.pyramid.renditions.map(({ id }) => id)
    this.#output = { sink, pacer: new Pacer({ renditionIds, frameInterval: this.#frameInterval, maxDelay: MAX_DELAY }) }
  }

  /** Nobody listens any more. */
  detach(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#output = undefined
  }

  /** Takes one frame from the source. */
  push(frame: EncodedFrame): void {
    const now = this.#options.clock.now()
    const timestamp = this.#instants.timestampOf(frame.mediaTicks, now)
    if (timestamp === undefined) {
      this.#framesUnplaced++
      return
    }
    // The first rendition of an image counts it; stragglers of an earlier one do not.
    if (this.#newest === undefined || isRtpNewer(timestamp, this.#newest)) {
      this.#newest = timestamp
      this.#monitor.imageArrived(now)
    }
    if (this.#output === undefined) return
    this.#output.pacer.push({ ...frame, timestamp }, now)
    this.#timer ??= setTimeout(() => this.#step(), 0)
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

  #step(): void {
    this.#timer = undefined
    if (this.#output === undefined) return
    const { sink, pacer } = this.#output
    const now = this.#options.clock.now()
    const { send, wakeAt } = pacer.step(now)
    for (const packet of send) sink.send(packet)
    if (wakeAt !== undefined) this.#timer = setTimeout(() => this.#step(), wakeAt - now)
  }
}
