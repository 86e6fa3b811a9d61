import type { RenditionId } from '../../../relay/wire/ids.ts'
import { isRtpNewer, rtpElapsed } from '../../../relay/wire/rtp-clock.ts'
import { millis, VIDEO_CLOCK_RATE } from '../../../relay/wire/units.ts'
import type { Millis, RtpTimestamp } from '../../../relay/wire/units.ts'

/** Bounds of the {@link InstantAligner}. */
export const ALIGNMENT = {
  /** An instant waits so long for its last tile, counted from its first: one frame interval, within these bounds. */
  shortestDeadlineMs: millis(100),
  longestDeadlineMs: millis(500),
  /** Instants that may wait at once; one more makes the oldest due at once. */
  instants: 6,
  /** A timestamp so much older than the shown one comes from another clock, or from a forgotten buffer. */
  rebaseTicks: 2 * VIDEO_CLOCK_RATE,
  /** It is taken for another clock when the one we follow has been silent so long. */
  rebaseSilenceMs: millis(500),
} as const

/** Frames of one instant that may be drawn together; or more of them, when that instant is the one shown already. */
export interface AlignedInstant<Frame> {
  readonly rtpTimestamp: RtpTimestamp
  readonly frames: ReadonlyMap<RenditionId, Frame>
  /** Watched renditions without a frame in this instant. */
  readonly heldOut: readonly RenditionId[]
  /** From the arrival of the instant's first frame to the decision. */
  readonly waited: Millis
}

/** What to do now, and when to ask again. */
export interface AlignerStep<Frame> {
  readonly show: AlignedInstant<Frame> | undefined
  readonly wakeAt: Millis | undefined
}

interface Instant<Frame> {
  readonly rtpTimestamp: RtpTimestamp
  readonly firstArrival: Millis
  readonly frames: Map<RenditionId, Frame>
}

/**
 * Puts the frames of many tracks together by their RTP timestamp and decides which instant to draw.
 *
 * An instant is complete when every *steady* rendition has arrived: one that is watched and delivered
 * its last frame within the deadline. A rendition that misses a deadline is no longer waited for until
 * it is in time again, so one bad tile costs its own pixels and not the latency of all others. While no
 * newer instant is there, what is late for the shown one is still added to it. Frames of different
 * instants never appear together. Does no I/O and reads no clock: the caller owns both, and
 * gives every frame that will not be drawn back through `release`.
 */
export class InstantAligner<Frame> {
  readonly #release: (frame: Frame) => void
  #watched: ReadonlySet<RenditionId> = new Set()
  readonly #steady = new Set<RenditionId>()
  /** Waiting instants, oldest first. */
  #waiting: Instant<Frame>[] = []
  /** First arrivals of instants that were decided, newest last: tells a late frame from a lost cause. */
  #decided: { readonly rtpTimestamp: RtpTimestamp; readonly firstArrival: Millis }[] = []
  #shown: RtpTimestamp | undefined
  /** Renditions that the shown instant has, and frames that came for it since. */
  #shownRenditions = new Set<RenditionId>()
  #supplement = new Map<RenditionId, Frame>()
  #deadline: Millis = ALIGNMENT.shortestDeadlineMs
  #lastNewArrival = millis(-Infinity)
  #late = 0

  constructor(release: (frame: Frame) => void) {
    this.#release = release
  }

  /** Watched renditions that are waited for. */
  get steady(): ReadonlySet<RenditionId> {
    return this.#steady
  }

  /** How far apart the source's instants are. A picture that comes seldom may be waited for as long. */
  expectInterval(interval: Millis): void {
    this.#deadline = millis(Math.min(ALIGNMENT.longestDeadlineMs, Math.max(ALIGNMENT.shortestDeadlineMs, interval)))
  }

  /** Replaces the set of watched renditions; frames of the others are released. */
  watch(renditions: Iterable<RenditionId>): void {
    this.#watched = new Set(renditions)
    for (const id of this.#steady) if (!this.#watched.has(id)) this.#steady.delete(id)
    for (const instant of this.#waiting) {
      for (const [id, frame] of instant.frames) {
        if (this.#watched.has(id)) continue
        instant.frames.delete(id)
        this.#release(frame)
      }
    }
    this.#waiting = this.#waiting.filter(instant => instant.frames.size > 0)
    for (const [id, frame] of this.#supplement) {
      if (this.#watched.has(id)) continue
      this.#supplement.delete(id)
      this.#release(frame)
    }
    // One that left the view and came back has to be drawn anew.
    for (const id of this.#shownRenditions) if (!this.#watched.has(id)) this.#shownRenditions.delete(id)
  }

  /** Takes one frame. Call {@link step} afterwards. */
  arrive(id: RenditionId, rtpTimestamp: RtpTimestamp, frame: Frame, now: Millis): void {
    if (!this.#watched.has(id)) {
      this.#release(frame)
      return
    }
    if (this.#isOtherClock(rtpTimestamp, now)) this.reset()
    if (this.#shown !== undefined && !isRtpNewer(rtpTimestamp, this.#shown)) {
      this.#arriveLate(id, rtpTimestamp, frame, now)
      return
    }
    this.#lastNewArrival = now
    this.#steady.add(id)
    const instant = this.#instantAt(rtpTimestamp, now)
    const earlier = instant.frames.get(id)
    if (earlier !== undefined) this.#release(earlier)
    instant.frames.set(id, frame)
  }

  /** Decides what to draw at `now`: the newest complete instant, else the newest one that has waited enough. */
  step(now: Millis): AlignerStep<Frame> {
    const index = this.#findDecision(now)
    const decided = this.#waiting[index]
    if (decided === undefined) return { show: this.#takeSupplement(), wakeAt: this.#wakeAt() }
    this.#dropSupplement()
    const isComplete = this.#isComplete(decided)
    for (const instant of this.#waiting.splice(0, index + 1)) {
      this.#remember(instant)
      if (instant !== decided) for (const frame of instant.frames.values()) this.#release(frame)
    }
    const heldOut = [...this.#watched].filter(id => !decided.frames.has(id))
    if (!isComplete) for (const id of heldOut) this.#steady.delete(id)
    this.#shown = decided.rtpTimestamp
    this.#shownRenditions = new Set(decided.frames.keys())
    const { rtpTimestamp, frames } = decided
    return { show: { rtpTimestamp, frames, heldOut, waited: millis(now - decided.firstArrival) }, wakeAt: this.#wakeAt() }
  }

  /** Forgets everything but the watched set: the tracks, or their clock, are others from now on. */
  reset(): void {
    for (const instant of this.#waiting) for (const frame of instant.frames.values()) this.#release(frame)
    this.#dropSupplement()
    this.#shownRenditions.clear()
    this.#waiting = []
    this.#decided = []
    this.#steady.clear()
    this.#shown = undefined
    this.#lastNewArrival = millis(-Infinity)
  }

  /** Frames that came after their instant was decided, since the last call. */
  takeLate(): number {
    const late = this.#late
    this.#late = 0
    return late
  }

  #findDecision(now: Millis): number {
    const complete = this.#waiting.findLastIndex(instant => this.#isComplete(instant))
    if (complete >= 0) return complete
    const due = this.#waiting.findLastIndex(instant => now - instant.firstArrival >= this.#deadline)
    if (due >= 0) return due
    return this.#waiting.length > ALIGNMENT.instants ? 0 : -1
  }

  #isComplete(instant: Instant<Frame>): boolean {
    for (const id of this.#steady) if (!instant.frames.has(id)) return false
    return true
  }

  #wakeAt(): Millis | undefined {
    if (this.#waiting.length === 0) return undefined
    return millis(Math.min(...this.#waiting.map(instant => instant.firstArrival)) + this.#deadline)
  }

  #instantAt(rtpTimestamp: RtpTimestamp, now: Millis): Instant<Frame> {
    const found = this.#waiting.find(instant => instant.rtpTimestamp === rtpTimestamp)
    if (found !== undefined) return found
    const instant: Instant<Frame> = { rtpTimestamp, firstArrival: now, frames: new Map() }
    const newer = this.#waiting.findIndex(other => isRtpNewer(other.rtpTimestamp, rtpTimestamp))
    this.#waiting.splice(newer < 0 ? this.#waiting.length : newer, 0, instant)
    return instant
  }

  #arriveLate(id: RenditionId, rtpTimestamp: RtpTimestamp, frame: Frame, now: Millis): void {
    const instant = this.#decided.find(decided => decided.rtpTimestamp === rtpTimestamp)
    // Not waited for, but in time all the same: worth waiting for from now on.
    if (instant !== undefined && now - instant.firstArrival < this.#deadline) this.#steady.add(id)
    const isWelcome = rtpTimestamp === this.#shown && !this.#shownRenditions.has(id) && !this.#supplement.has(id)
    if (isWelcome) {
      this.#supplement.set(id, frame)
      return
    }
    this.#late++
    this.#release(frame)
  }

  /** What came for the shown instant after it was decided. */
  #takeSupplement(): AlignedInstant<Frame> | undefined {
    if (this.#shown === undefined || this.#supplement.size === 0) return undefined
    const frames = this.#supplement
    this.#supplement = new Map()
    for (const id of frames.keys()) this.#shownRenditions.add(id)
    const firstArrival = this.#decided.find(({ rtpTimestamp }) => rtpTimestamp === this.#shown)?.firstArrival ?? this.#lastNewArrival
    const heldOut = [...this.#watched].filter(id => !this.#shownRenditions.has(id))
    return { rtpTimestamp: this.#shown, frames, heldOut, waited: millis(this.#lastNewArrival - firstArrival) }
  }

  #dropSupplement(): void {
    for (const frame of this.#supplement.values()) this.#release(frame)
    this.#supplement.clear()
  }

  #isOtherClock(rtpTimestamp: RtpTimestamp, now: Millis): boolean {
    if (this.#shown === undefined) return false
    const isFarBehind = rtpElapsed(this.#shown, rtpTimestamp) < -ALIGNMENT.rebaseTicks
    return isFarBehind && now - this.#lastNewArrival >= ALIGNMENT.rebaseSilenceMs
  }

  #remember(instant: Instant<Frame>): void {
    this.#decided.push({ rtpTimestamp: instant.rtpTimestamp, firstArrival: instant.firstArrival })
    if (this.#decided.length > ALIGNMENT.instants) this.#decided.shift()
  }
}
