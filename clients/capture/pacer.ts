import { rtpElapsed } from '../../relay/wire/rtp-clock.ts'
import { millis } from '../../relay/wire/units.ts'
import { KeyFrameGate } from './key-frame-gate.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { BitsPerSecond, Millis, RtpTimestamp } from '../../relay/wire/units.ts'
import type { StampedFrame } from './encoded-frame.ts'

/** One packet that is due. */
export interface PacedPacket {
  readonly renditionId: RenditionId
  readonly timestamp: RtpTimestamp
  readonly marker: boolean
  readonly payload: Buffer
}

/** What {@link Pacer} needs to know. */
export interface PacerOptions {
  readonly renditionIds: readonly RenditionId[]
  /** The nominal distance of two images. */
  readonly frameInterval: Millis
  /** A frame that could not leave by then is dropped. */
  readonly maxDelay: Millis
}

/** The part of a frame interval that one image's packets are spread over. */
const SPREAD_SHARE = 0.8
/** A line with a limit may get so much of it at once, after a step that came late. */
const MAX_BURST = millis(10)
/** Room for what renditions begin anew with. */
const MAX_REPLAY_FRAMES = 1024
/** How often a pacer with something to send wants to be asked. */
const STEP = millis(2)

interface Queued {
  readonly frame: StampedFrame
  readonly queuedAt: Millis
  readonly sendBy: Millis
  /** Payloads already sent. */
  sent: number
  bytesLeft: number
}

const sizeOf = (frame: StampedFrame): number => frame.payloads.reduce((sum, payload) => sum + payload.length, 0)

/**
 * Spreads frames, which encoders hand over whole, over the time until the next image, so that dozens
 * of tiles do not leave in one burst. Does no I/O and reads no clock: the caller owns both.
 *
 * A rendition that begins anew sends what it has since its last keyframe, behind everything that flows
 * already. Bounded by count and age; what does not fit is dropped oldest first, as whole frames, together
 * with all that build on them.
 */
export class Pacer {
  readonly #spread: Millis
  readonly #maxDelay: Millis
  readonly #capacity: number
  readonly #gates: ReadonlyMap<RenditionId, KeyFrameGate>
  #queue: Queued[] = []
  #dropped = 0
  /** Renditions that began anew and are not up to date yet. */
  readonly #catchingUp = new Set<RenditionId>()
  /** Rank of what is more important than the rest. */
  #ranks: ReadonlyMap<RenditionId, number> = new Map()
  #limit: { readonly bytesPerMilli: number; credit: number; at: Millis } | undefined
  #lastStep: Millis | undefined

  constructor(options: PacerOptions) {
    this.#spread = millis(options.frameInterval * SPREAD_SHARE)
    this.#maxDelay = options.maxDelay
    this.#capacity = options.renditionIds.length * (Math.ceil(options.maxDelay / options.frameInterval) + 1)
    this.#gates = new Map(options.renditionIds.map(id => [id, new KeyFrameGate()]))
  }

  /** Queues one frame. */
  push(frame: StampedFrame, now: Millis): void {
    if (this.#gates.get(frame.renditionId)?.admits(frame.isKeyFrame) !== true) {
      this.#dropped++
      return
    }
    const sendBy = millis(now + this.#spread)
    this.#queue.push({ frame, queuedAt: now, sendBy, sent: 0, bytesLeft: sizeOf(frame) })
    const room = this.#capacity + (this.#catchingUp.size > 0 ? MAX_REPLAY_FRAMES : 0)
    if (this.#queue.length > room) this.#dropFirstUnsent()
    this.#lastStep ??= now
  }

  /**
   * A rendition begins anew with these frames, the first of them a keyframe, whatever of it was queued.
   * Without any, it begins with its next keyframe.
   */
  restart(renditionId: RenditionId, frames: readonly StampedFrame[], now: Millis): void {
    this.release(renditionId)
    if (frames.length > 0) this.#catchingUp.add(renditionId)
    for (const frame of frames) this.push(frame, now)
  }

  /** A rendition is no longer to be sent: what is queued of it is forgotten. */
  release(renditionId: RenditionId): void {
    this.#queue = this.#queue.filter(({ frame }) => frame.renditionId !== renditionId)
    this.#catchingUp.delete(renditionId)
    this.#gates.get(renditionId)?.break()
  }

  /** Within one image, these go first, in this order. */
  prioritise(renditionIds: readonly RenditionId[]): void {
    this.#ranks = new Map(renditionIds.map((id, rank) => [id, rank]))
  }

  /** Never sends faster than this; undefined lifts the limit. */
  limit(rate: BitsPerSecond | undefined, now: Millis): void {
    this.#limit = rate === undefined ? undefined : { bytesPerMilli: rate / 8000, credit: this.#limit?.credit ?? 0, at: this.#limit?.at ?? now }
  }

  /** The packets that are due, and when to ask again: undefined while there is nothing left. */
  step(now: Millis): { readonly send: readonly PacedPacket[]; readonly wakeAt: Millis | undefined } {
    while (this.#hasExpired(now)) this.#dropFirstUnsent()
    // A step that comes late sends no more for it: the rate rises instead, as the time to send by draws near.
    const elapsed = Math.min(now - (this.#lastStep ?? now) + STEP, 2 * STEP)
    let budget = Math.min(this.#bytesPerMilli(now) * elapsed, this.#credit(now))
    this.#lastStep = now
    const send: PacedPacket[] = []
    let sent = 0
    for (const queued of this.#inOrder()) {
      const taken = this.#take(queued, budget, send)
      budget -= taken
      sent += taken
      if (queued.bytesLeft > 0) break
    }
    if (this.#limit !== undefined) this.#limit.credit -= sent
    this.#forgetSent()
    if (this.#queue.length > 0) return { send, wakeAt: millis(now + STEP) }
    this.#lastStep = undefined
    return { send, wakeAt: undefined }
  }

  /** Frames dropped since the last call, including those that had to wait for a keyframe. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  /** What flows already before what catches up; image by image, the most important first. */
  #inOrder(): readonly Queued[] {
    const rankOf = ({ frame }: Queued): number => this.#ranks.get(frame.renditionId) ?? this.#ranks.size
    if (this.#limit !== undefined) this.#queue.sort((a, b) => rtpElapsed(b.frame.timestamp, a.frame.timestamp) || rankOf(a) - rankOf(b))
    if (this.#catchingUp.size === 0) return this.#queue
    const isCatchingUp = ({ frame }: Queued): boolean => this.#catchingUp.has(frame.renditionId)
    return [...this.#queue.filter(queued => !isCatchingUp(queued)), ...this.#queue.filter(isCatchingUp)]
  }

  #forgetSent(): void {
    this.#queue = this.#queue.filter(({ bytesLeft }) => bytesLeft > 0)
    for (const id of this.#catchingUp) {
      if (!this.#queue.some(({ frame }) => frame.renditionId === id)) this.#catchingUp.delete(id)
    }
  }

  /** Bytes that the limit allows now. */
  #credit(now: Millis): number {
    const limit = this.#limit
    if (limit === undefined) return Infinity
    limit.credit = Math.min(limit.credit + (now - limit.at) * limit.bytesPerMilli, MAX_BURST * limit.bytesPerMilli)
    limit.at = now
    return limit.credit
  }

  /** The lowest rate that sends every queued frame by its time. */
  #bytesPerMilli(now: Millis): number {
    let bytes = 0
    let rate = 0
    for (const { bytesLeft, sendBy } of this.#queue) {
      bytes += bytesLeft
      // Being late is no reason to send everything at once.
      rate = Math.max(rate, bytes / Math.max(sendBy - now, this.#spread / 4))
    }
    return rate
  }

  #take(queued: Queued, budget: number, send: PacedPacket[]): number {
    const { renditionId, timestamp, payloads } = queued.frame
    let taken = 0
    while (taken < budget && queued.sent < payloads.length) {
      const payload = payloads[queued.sent]
      if (payload === undefined) break
      queued.sent++
      send.push({ renditionId, timestamp, payload, marker: queued.sent === payloads.length })
      taken += payload.length
    }
    queued.bytesLeft -= taken
    return taken
  }

  #hasExpired(now: Millis): boolean {
    const first = this.#queue.find(queued => queued.sent === 0)
    return first !== undefined && now - first.queuedAt > this.#maxDelay
  }

  /** Drops the oldest frame of which nothing was sent yet, and what builds on it. */
  #dropFirstUnsent(): void {
    const first = this.#queue.find(queued => queued.sent === 0)
    if (first === undefined) return
    const { renditionId } = first.frame
    const unsent = this.#queue.filter(queued => queued.frame.renditionId === renditionId && queued.sent === 0)
    const nextKey = unsent.findIndex((queued, index) => index > 0 && queued.frame.isKeyFrame)
    const doomed = new Set(nextKey === -1 ? unsent : unsent.slice(0, nextKey))
    this.#dropped += doomed.size
    this.#queue = this.#queue.filter(queued => !doomed.has(queued))
    if (nextKey === -1) this.#gates.get(renditionId)?.break()
  }
}
