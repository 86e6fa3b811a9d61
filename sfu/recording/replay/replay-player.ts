import { OVERVIEW } from '../../../relay/wire/ids.ts'
import { markCoarse } from '../../../relay/wire/coarse-mark.ts'
import { rtpTimestamp, VIDEO_CLOCK_RATE } from '../../../relay/wire/units.ts'
import { ReplayCursor } from './replay-cursor.ts'
import { ReplayStream } from './replay-stream.ts'
import type { Clock } from '../../../relay/runtime/clock.ts'
import type { RenditionId } from '../../../relay/wire/ids.ts'
import type { Demand, LinkTrack } from '../../../relay/wire/signaling.ts'
import type { RecordedSegment } from '../recording-reader.ts'
import type { DueFrame } from './replay-cursor.ts'

/** Frames are looked for so often, in milliseconds. */
const STEP_MILLIS = 8
/** A machine that was busy for longer goes on from now instead of hurrying. */
const MAX_LAG_MILLIS = 250
/** Packets leave no faster than this, in bytes per millisecond (160 Mbit/s): browsers have small buffers. */
const PACE_BYTES = 20_000
/** With more than this waiting to leave, time stands still. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024
/** Nothing to see for longer than this is passed over, in ticks. */
const GAP_TICKS = 2 * VIDEO_CLOCK_RATE
/** What leads up to a picture bears timestamps so far behind the newest one that no viewer takes it for news: 300 ms. */
const LEAD_TICKS = 27_000
/** From the last instant of one run to the first of the next. */
const RUN_TICKS = 3000

/** What a {@link ReplayPlayer} is made from. */
export interface ReplayPlayerOptions {
  readonly segment: RecordedSegment
  readonly tracks: readonly LinkTrack[]
  readonly output: { take(flow: number, packet: Buffer): void }
  readonly clock: Clock
  /** It is played to its end. */
  readonly onEnd: () => void
  /** A file cannot be read. */
  readonly onFault: (error: unknown) => void
}

/** The rendition that time is told by: the overview, which flows even when nobody watches. */
const referenceOf = ({ manifest: { pyramid: { renditions } } }: RecordedSegment): RenditionId => renditions.find(({ id }) => id === OVERVIEW)?.id ?? renditions[0]?.id ?? OVERVIEW

interface PlayedRendition {
  readonly cursor: ReplayCursor
  readonly stream: ReplayStream
  /** Sends what comes; before that it has to begin with a keyframe. */
  hasBegun: boolean
}

/**
 * Plays one publication of a recording: what is demanded of it, in real time, on an RTP clock that
 * never goes back for what is to be seen. A rendition begins with its keyframe before the present
 * picture; the frames that lead up to that bear old timestamps, so that viewers decode and do not show them.
 */
export class ReplayPlayer {
  readonly #options: ReplayPlayerOptions
  readonly #reference: ReplayCursor
  readonly #renditions = new Map<RenditionId, PlayedRendition>()
  readonly #waiting: { readonly flow: number; readonly packet: Buffer }[] = []
  readonly #timer: NodeJS.Timeout
  #waitingBytes = 0
  #demanded: readonly RenditionId[] = []
  #isPlaying = false
  #speed = 1
  #position = 0
  #steppedAt: number
  #isStepping = false
  #isEnded = false
  /** Of the present run: where it began in the recording, and on the clock of what leaves. */
  #run = { ticks: 0, out: 0x1000_0000, floor: 0x1000_0000 - RUN_TICKS }
  #lastOut = 0x1000_0000 - RUN_TICKS

  private constructor(options: ReplayPlayerOptions, reference: ReplayCursor) {
    this.#options = options
    this.#reference = reference
    this.#steppedAt = options.clock.now()
    this.#timer = setInterval(() => void this.#step(), STEP_MILLIS)
  }

  static async open(options: ReplayPlayerOptions): Promise<ReplayPlayer> {
    const player = new ReplayPlayer(options, new ReplayCursor(await options.segment.frames(referenceOf(options.segment))))
    player.seek(options.segment.manifest.originTicks)
    return player
  }

  /** On the clock of the files. */
  get positionTicks(): number {
    return Math.round(this.#position)
  }

  get speed(): number {
    return this.#speed
  }

  play(isPlaying: boolean): void {
    this.#isPlaying = isPlaying
  }

  /** @param speed - Recorded seconds per second. */
  setSpeed(speed: number): void {
    if (speed === this.#speed) return
    this.#speed = speed
    this.seek(this.#position)
  }

  /** Goes to the picture at a time. */
  seek(ticks: number): void {
    this.#position = this.#reference.ticksAt(ticks) ?? this.#reference.ticksAfter(ticks) ?? ticks
    this.#run = { ticks: this.#position, out: this.#lastOut + RUN_TICKS, floor: this.#lastOut }
    this.#waiting.length = 0
    this.#waitingBytes = 0
    this.#isEnded = false
    for (const rendition of this.#renditions.values()) rendition.hasBegun = false
  }

  /** Sends this from now on; what is woken begins with a keyframe. */
  demand({ renditions, woken }: Demand): void {
    const full = renditions.filter(({ cadence }) => cadence === 'full').map(({ renditionId }) => renditionId)
    const gone = this.#demanded.filter(id => !full.includes(id))
    for (const id of [...woken, ...gone]) this.refresh(id)
    this.#demanded = full
  }

  /** A rendition begins anew: somebody came, or lost something. */
  refresh(id: RenditionId): void {
    const rendition = this.#renditions.get(id)
    if (rendition !== undefined) rendition.hasBegun = false
  }

  /** Never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#demanded = []
    this.#waiting.length = 0
    for (const { stream } of this.#renditions.values()) await stream.close()
  }

  async #step(): Promise<void> {
    const now = this.#options.clock.now()
    const elapsed = Math.min(MAX_LAG_MILLIS, now - this.#steppedAt)
    this.#steppedAt = now
    this.#send(elapsed)
    if (this.#isPlaying && this.#waitingBytes < MAX_WAITING_BYTES) this.#advance(elapsed)
    if (this.#isStepping) return
    this.#isStepping = true
    try {
      for (const id of this.#demanded) await this.#sendRendition(id)
    } catch (error) {
      this.#options.onFault(error)
    } finally {
      this.#isStepping = false
    }
  }

  #advance(elapsed: number): void {
    this.#position += (elapsed * this.#speed * VIDEO_CLOCK_RATE) / 1000
    const last = this.#reference.ticksAt(this.#position)
    const next = this.#reference.ticksAfter(this.#position)
    if (next !== undefined && next - this.#position > GAP_TICKS && this.#position - (last ?? 0) > GAP_TICKS / 4) this.seek(next)
    if (next !== undefined || this.#isEnded) return
    this.#isEnded = true
    this.#isPlaying = false
    if (last !== undefined) this.#position = last
    this.#options.onEnd()
  }

  async #sendRendition(id: RenditionId): Promise<void> {
    const run = this.#run
    const rendition = this.#renditions.get(id) ?? (await this.#openRendition(id))
    // While files were read, somebody may have gone elsewhere.
    if (rendition === undefined || run !== this.#run) return
    const due = rendition.hasBegun ? rendition.cursor.advance(this.#position) : rendition.cursor.begin(this.#position)
    rendition.hasBegun = true
    if (due.length === 0) return
    const floor = Math.max(run.floor, this.#lastOut - LEAD_TICKS)
    const outOf = ({ frame, leading }: DueFrame): number => (leading > 0 ? floor - leading : this.#outOf(frame.ticks, run))
    for (const each of due) if (each.leading === 0) this.#lastOut = Math.max(this.#lastOut, outOf(each))
    const packets = await rendition.stream.packets(due, each => rtpTimestamp(outOf(each)))
    if (run !== this.#run) {
      rendition.hasBegun = false
      return
    }
    for (const packet of packets) {
      this.#waiting.push({ flow: rendition.stream.flow, packet })
      this.#waitingBytes += packet.length
    }
  }

  /** Where a frame to be seen stands on the clock of what leaves. */
  #outOf(ticks: number, run: { readonly ticks: number; readonly out: number }): number {
    const out = run.out + Math.round((ticks - run.ticks) / this.#speed)
    return this.#options.segment.manifest.pyramid.marksCoarse === true ? markCoarse(out, ticks % 2 === 1) : out
  }

  async #openRendition(id: RenditionId): Promise<PlayedRendition | undefined> {
    const { segment, tracks } = this.#options
    const track = tracks.find(({ renditionId }) => renditionId === id)
    const codec = segment.manifest.pyramid.renditions.find(rendition => rendition.id === id)?.codec
    if (track === undefined || codec === undefined) return undefined
    const rendition = { cursor: new ReplayCursor(await segment.frames(id)), stream: new ReplayStream(segment.path(id), codec, track), hasBegun: false }
    this.#renditions.set(id, rendition)
    return rendition
  }

  #send(elapsed: number): void {
    let budget = elapsed * PACE_BYTES
    let sent = 0
    for (const { flow, packet } of this.#waiting) {
      if (budget <= 0) break
      this.#options.output.take(flow, packet)
      budget -= packet.length
      this.#waitingBytes -= packet.length
      sent++
    }
    this.#waiting.splice(0, sent)
  }
}
