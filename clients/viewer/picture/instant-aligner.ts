import type { RenditionId } from '../../../relay/wire/ids.ts'
import { isRtpNewer, rtpElapsed } from '../../../relay/wire/rtp-clock.ts'
import { millis, VIDEO_CLOCK_RATE } from '../../../relay/wire/units.ts'
import type { Millis, RtpTimestamp } from '../../../relay/wire/units.ts'

/** Bounds of the {@link InstantAligner}. */
export const ALIGNMENT = {
  /** An instant waits so long for its last tile, counted from its first: one frame interval, within these bounds. */
  shortestDeadlineMs: millis(100),
  longestDeadlineMs: millis(500),
  /** Where frames that keep pace come later than that, as on a line that is full, instants wait up to so much longer for them… */
  stretchMs: millis(150),
  /** …and come back to the usual time by this part with each instant. */
  stretchDecay: 0.01,
  /** Instants that may wait at once; one more makes the oldest due at once. */
  instants: 6,
  /** A timestamp so much older than the shown one comes from another clock, or from a forgotten buffer. */
  rebaseTicks: 2 * VIDEO_CLOCK_RATE,
  /** It is taken for another clock when the one we follow has been silent so long, and for three frame intervals. */
  rebaseSilenceMs: millis(500),
  /** A rendition that begins to flow keeps pace once it delivers one of the last so many decided instants… */
  currentInstants: 2,
  /** …or is late by less than the deadline so many times in a row: then it lags, and is not catching up. */
  laggingFrames: 10,
} as const

/** Frames of one instant that may be drawn together; or more of them, when that instant is the one shown already. */
export interface AlignedInstant<Frame> {
  readonly rtpTimestamp: RtpTimestamp
  readonly frames: ReadonlyMap<RenditionId, Frame>
  /** Expected renditions without a frame in this instant. */
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
 * Frames of *watched* renditions are taken; those of them that are *expected* make an instant complete,
 * once they are *steady*: an expected rendition is waited for when it delivered its last frame within
 * the deadline. One that begins to flow is steady only when it delivers a current instant, so what it
 * catches up with first disturbs nobody. One that misses a deadline is no longer waited for until it is
 * in time again, so one bad tile costs its own pixels and not the latency of all others. While no newer
 * instant is there, what is late for the shown one is still added to it. Frames of different instants
 * never appear together. Does no I/O and reads no clock: the caller owns both, and gives every frame
 * that will not be drawn back through `release`.
 */
export class InstantAligner<Frame> {
  readonly #release: (frame: Frame) => void
  #watched: ReadonlySet<RenditionId> = new Set()
  #expected: ReadonlySet<RenditionId> = new Set()
  /** Watched renditions that keep pace. */
  readonly #steady = new Set<RenditionId>()
  /** Watched renditions that have kept pace since they are watched; of the others, late frames are no news. */
  readonly #arrived = new Set<RenditionId>()
  /** How often in a row a rendition that has not arrived was only a little late. */
  readonly #lagging = new Map<RenditionId, number>()
  /** Waiting instants, oldest first. */
  #waiting: Instant<Frame>[] = []
  /** First arrivals of instants that were decided, newest last: tells a late frame from a lost cause. */
  #decided: { readonly rtpTimestamp: RtpTimestamp; readonly firstArrival: Millis }[] = []
  #shown: RtpTimestamp | undefined
  /** Renditions that the shown instant has, and frames that came for it since. */
  #shownRenditions = new Set<RenditionId>()
  #supplement = new Map<RenditionId, Frame>()
  /** For a line with room to spare. */
  #usualDeadline: Millis = ALIGNMENT.shortestDeadlineMs
  #deadline: Millis = ALIGNMENT.shortestDeadlineMs
  #rebaseSilence: Millis = ALIGNMENT.rebaseSilenceMs
  #lastNewArrival = millis(-Infinity)
  #late = 0

  constructor(release: (frame: Frame) => void) {
    this.#release = release
  }

  /** Renditions that are waited for. */
  get steady(): ReadonlySet<RenditionId> {
    return new Set([...this.#steady].filter(id => this.#expected.has(id)))
  }

  /** How far apart the source's instants are. A picture that comes seldom may be waited for as long. */
  expectInterval(interval: Millis): void {
    this.#usualDeadline = millis(Math.min(ALIGNMENT.longestDeadlineMs, Math.max(ALIGNMENT.shortestDeadlineMs, interval)))
    this.#deadline = this.#usualDeadline
    this.#rebaseSilence = millis(Math.max(ALIGNMENT.rebaseSilenceMs, 3 * interval))
  }

  /**
   * Replaces the set of watched renditions; frames of the others are released.
   *
   * @param expected - Those of them that make an instant complete; all unless told otherwise. The others
   *   are part of an instant when they come in time, and nobody waits for them.
   */
  watch(renditions: Iterable<RenditionId>, expected?: Iterable<RenditionId>): void {
    this.#watched = new Set(renditions)
    this.#expected = expected === undefined ? this.#watched : new Set(expected)
    const isGone = (id: RenditionId): boolean => !this.#watched.has(id)
    for (const ids of [this.#steady, this.#arrived, this.#lagging]) for (const id of ids.keys()) if (isGone(id)) ids.delete(id)
    for (const instant of this.#waiting) this.#releaseFrom(instant.frames, isGone)
    this.#waiting = this.#waiting.filter(instant => instant.frames.size > 0)
    this.#releaseFrom(this.#supplement, isGone)
    // One that left the view and came back has to be drawn anew.
    for (const id of this.#shownRenditions) if (isGone(id)) this.#shownRenditions.delete(id)
  }

  /**
   * Whether a frame is worth holding for {@link arrive}; keeps the books of one that is not. Spares the
   * caller the copying of frames that are too late, of which a rendition that begins to flow brings many.
   */
  admits(id: RenditionId, rtpTimestamp: RtpTimestamp, now: Millis): boolean {
    if (!this.#watched.has(id)) return false
    if (this.#shown === undefined || this.#isOtherClock(rtpTimestamp, now) || isRtpNewer(rtpTimestamp, this.#shown)) return true
    this.#judgeLate(id, rtpTimestamp, now)
    if (rtpTimestamp === this.#shown && !this.#shownRenditions.has(id) && !this.#supplement.has(id)) return true
    if (this.#arrived.has(id)) this.#late++
    return false
  }

  /** Takes one frame. Call {@link step} afterwards. */
  arrive(id: RenditionId, rtpTimestamp: RtpTimestamp, frame: Frame, now: Millis): void {
    if (!this.admits(id, rtpTimestamp, now)) {
      this.#release(frame)
      return
    }
    if (this.#isOtherClock(rtpTimestamp, now)) this.reset()
    if (rtpTimestamp === this.#shown) {
      this.#supplement.set(id, frame)
      return
    }
    this.#lastNewArrival = now
    this.#keepsPace(id)
    const instant = this.#instantAt(rtpTimestamp, now)
    const earlier = instant.frames.get(id)
    if (earlier !== undefined) this.#release(earlier)
    instant.frames.set(id, frame)
  }

  /** Decides what to draw at `now`: the newest complete instant, else the newest one that has waited enough. */
  step(now: Millis): AlignerStep<Frame> {
    this.#dropUnexpected(now)
    const index = this.#findDecision(now)
    const decided = this.#waiting[index]
    if (decided === undefined) return { show: this.#takeSupplement(), wakeAt: this.#wakeAt() }
    this.#releaseFrom(this.#supplement, () => true)
    const isComplete = this.#isComplete(decided)
    for (const instant of this.#waiting.splice(0, index + 1)) {
      this.#remember(instant)
      if (instant !== decided) this.#releaseFrom(instant.frames, () => true)
    }
    const heldOut = this.#missingOf(decided.frames)
    if (!isComplete) for (const id of heldOut) this.#steady.delete(id)
    this.#deadline = millis(this.#deadline - (this.#deadline - this.#usualDeadline) * ALIGNMENT.stretchDecay)
    this.#shown = decided.rtpTimestamp
    this.#shownRenditions = new Set(decided.frames.keys())
    const { rtpTimestamp, frames } = decided
    return { show: { rtpTimestamp, frames, heldOut, waited: millis(now - decided.firstArrival) }, wakeAt: this.#wakeAt() }
  }

  /** Forgets everything but the watched set: the tracks, or their clock, are others from now on. */
  reset(): void {
    for (const instant of this.#waiting) this.#releaseFrom(instant.frames, () => true)
    this.#releaseFrom(this.#supplement, () => true)
    this.#shownRenditions.clear()
    this.#waiting = []
    this.#decided = []
    for (const ids of [this.#steady, this.#arrived, this.#lagging]) ids.clear()
    this.#shown = undefined
    this.#lastNewArrival = millis(-Infinity)
  }

  /** Frames that came after their instant was decided, since the last call; without those that a rendition caught up with. */
  takeLate(): number {
    const late = this.#late
    this.#late = 0
    return late
  }

  #findDecision(now: Millis): number {
    const complete = this.#waiting.findLastIndex(instant => this.#isComplete(instant))
    if (complete >= 0) return complete
    const due = this.#waiting.findLastIndex(instant => this.#isExpected(instant) && now - instant.firstArrival >= this.#deadline)
    if (due >= 0) return due
    return this.#waiting.length > ALIGNMENT.instants ? this.#waiting.findIndex(instant => this.#isExpected(instant)) : -1
  }

  /** Instants of which only came what nobody expects: they would take the picture away. */
  #dropUnexpected(now: Millis): void {
    const isSpent = (instant: Instant<Frame>, index: number): boolean =>
      !this.#isExpected(instant) && (now - instant.firstArrival >= this.#deadline || this.#waiting.length - index > ALIGNMENT.instants)
    const spent = this.#waiting.filter(isSpent)
    if (spent.length === 0) return
    this.#waiting = this.#waiting.filter(instant => !spent.includes(instant))
    for (const instant of spent) this.#releaseFrom(instant.frames, () => true)
  }

  /** Whether anything of an instant is expected to be seen. */
  #isExpected(instant: Instant<Frame>): boolean {
    for (const id of instant.frames.keys()) if (this.#expected.has(id)) return true
    return false
  }

  #isComplete(instant: Instant<Frame>): boolean {
    for (const id of this.#steady) if (this.#expected.has(id) && !instant.frames.has(id)) return false
    return this.#isExpected(instant)
  }

  #missingOf(frames: { has(id: RenditionId): boolean }): RenditionId[] {
    return [...this.#expected].filter(id => !frames.has(id))
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

  /** Decides whether a rendition that is late for its instant is worth waiting for from now on. */
  #judgeLate(id: RenditionId, rtpTimestamp: RtpTimestamp, now: Millis): void {
    const index = this.#decided.findIndex(decided => decided.rtpTimestamp === rtpTimestamp)
    const instant = this.#decided[index]
    const lateness = instant === undefined ? Infinity : now - instant.firstArrival
    if (lateness >= this.#usualDeadline + ALIGNMENT.stretchMs) {
      this.#lagging.delete(id)
      return
    }
    if (this.#arrived.has(id)) this.#deadline = millis(Math.max(this.#deadline, lateness * 1.1))
    const lagging = (this.#lagging.get(id) ?? 0) + 1
    this.#lagging.set(id, lagging)
    const isCurrent = index >= this.#decided.length - ALIGNMENT.currentInstants
    if (isCurrent || this.#arrived.has(id) || lagging >= ALIGNMENT.laggingFrames) this.#keepsPace(id)
  }

  #keepsPace(id: RenditionId): void {
    this.#steady.add(id)
    this.#arrived.add(id)
    this.#lagging.delete(id)
  }

  /** What came for the shown instant after it was decided. */
  #takeSupplement(): AlignedInstant<Frame> | undefined {
    if (this.#shown === undefined || this.#supplement.size === 0) return undefined
    const frames = this.#supplement
    this.#supplement = new Map()
    for (const id of frames.keys()) this.#shownRenditions.add(id)
    const firstArrival = this.#decided.find(({ rtpTimestamp }) => rtpTimestamp === this.#shown)?.firstArrival ?? this.#lastNewArrival
    return { rtpTimestamp: this.#shown, frames, heldOut: this.#missingOf(this.#shownRenditions), waited: millis(this.#lastNewArrival - firstArrival) }
  }

  #releaseFrom(frames: Map<RenditionId, Frame>, isReleased: (id: RenditionId) => boolean): void {
    for (const [id, frame] of frames) {
      if (!isReleased(id)) continue
      frames.delete(id)
      this.#release(frame)
    }
  }

  #isOtherClock(rtpTimestamp: RtpTimestamp, now: Millis): boolean {
    if (this.#shown === undefined) return false
    const isFarBehind = rtpElapsed(this.#shown, rtpTimestamp) < -ALIGNMENT.rebaseTicks
    return isFarBehind && now - this.#lastNewArrival >= this.#rebaseSilence
  }

  #remember(instant: Instant<Frame>): void {
    this.#decided.push({ rtpTimestamp: instant.rtpTimestamp, firstArrival: instant.firstArrival })
    if (this.#decided.length > ALIGNMENT.instants) this.#decided.shift()
  }
}
