import { rtpElapsed, isRtpNewer } from '../../relay/wire/rtp-clock.ts'
import { millis } from '../../relay/wire/units.ts'
import { SequenceUnwrapper } from './sequence-unwrapper.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { Millis, RtpTimestamp } from '../../relay/wire/units.ts'

/** What the judge needs to know of a packet; a retransmission counts as the packet it repeats. */
export interface JudgedPacket {
  readonly sequenceNumber: number
  readonly timestamp: RtpTimestamp
  readonly marker: boolean
}

/** Verdicts on the frames of one rendition. */
export interface FrameTally {
  /** Every packet came before the deadline. */
  readonly intact: number
  /** Some packets came, but not all of them in time. */
  readonly damaged: number
  /** Other renditions showed the instant, this one sent nothing of it. */
  readonly missing: number
}

/** What came of one frame, whatever of it is missing. A packet that came twice counts once. */
export interface ArrivedFrame {
  readonly renditionId: RenditionId
  readonly timestamp: RtpTimestamp
  readonly packets: number
  /** When the last of them came. */
  readonly lastAt: Millis
}

/** Packets remembered per rendition: at 100 Mbit/s in one stream, well over half a second. */
const WINDOW_PACKETS = 8192

interface Slot {
  readonly extended: number
  readonly timestamp: RtpTimestamp
  readonly marker: boolean
}

interface OpenFrame {
  first: number
  packets: number
  lastAt: Millis
  /** Extended sequence number of the packet that carries the marker. */
  marker: number | undefined
  completedAt: Millis | undefined
}

/** The packets and the frames not yet judged of one rendition. */
class RenditionFrames {
  readonly #unwrapper = new SequenceUnwrapper()
  readonly #window: (Slot | undefined)[] = new Array<Slot | undefined>(WINDOW_PACKETS)
  readonly #frames = new Map<RtpTimestamp, OpenFrame>()
  /** Timestamp of the frame whose marker came first; undefined until then. Only newer frames count. */
  #beganAfter: RtpTimestamp | undefined
  intact = 0
  damaged = 0
  missing = 0

  push({ sequenceNumber, timestamp, marker }: JudgedPacket, isOpen: boolean, now: Millis): void {
    const extended = this.#unwrapper.unwrap(sequenceNumber)
    if (this.#at(extended) !== undefined) return
    this.#window[extended % WINDOW_PACKETS] = { extended, timestamp, marker }
    if (marker) this.#beganAfter ??= timestamp
    if (isOpen) this.#add(extended, timestamp, marker, now)
    // The end of one frame is the beginning of the next, which may have come already.
    if (marker) this.#completeFrom(extended + 1, now)
  }

  /** @returns What came of it, if anything did. */
  judge(timestamp: RtpTimestamp, deadline: Millis): Pick<ArrivedFrame, 'packets' | 'lastAt'> | undefined {
    const frame = this.#frames.get(timestamp)
    this.#frames.delete(timestamp)
    if (this.#beganAfter === undefined || !isRtpNewer(timestamp, this.#beganAfter)) return frame
    if (frame === undefined) this.missing++
    else if (frame.completedAt !== undefined && frame.completedAt <= deadline) this.intact++
    else this.damaged++
    return frame
  }

  #at(extended: number): Slot | undefined {
    const slot = this.#window[extended % WINDOW_PACKETS]
    return slot?.extended === extended ? slot : undefined
  }

  #add(extended: number, timestamp: RtpTimestamp, marker: boolean, now: Millis): void {
    let frame = this.#frames.get(timestamp)
    if (frame === undefined) {
      this.#frames.set(timestamp, (frame = { first: extended, packets: 0, lastAt: now, marker: undefined, completedAt: undefined }))
    }
    frame.first = Math.min(frame.first, extended)
    frame.packets++
    frame.lastAt = now
    if (marker) frame.marker = extended
    this.#complete(frame, now)
  }

  #completeFrom(first: number, now: Millis): void {
    const slot = this.#at(first)
    const frame = slot === undefined ? undefined : this.#frames.get(slot.timestamp)
    if (frame?.first === first) this.#complete(frame, now)
  }

  #complete(frame: OpenFrame, now: Millis): void {
    if (frame.completedAt !== undefined || frame.marker === undefined) return
    if (frame.packets === frame.marker - frame.first + 1 && this.#beginsAt(frame.first)) frame.completedAt = now
  }

  /** Whether a frame is known to begin with packet `first`. */
  #beginsAt(first: number): boolean {
    const previous = this.#at(first - 1)
    if (previous !== undefined) return previous.marker
    // One single packet is missing after one that ended no frame: it can only be that frame's marker.
    const beforeGap = this.#at(first - 2)
    return beforeGap !== undefined && !beforeGap.marker && beforeGap.timestamp !== this.#at(first)?.timestamp
  }
}

interface Instant {
  readonly timestamp: RtpTimestamp
  readonly deadline: Millis
}

/**
 * Judges the frames that one receiver gets: a frame is intact when every packet of it was received and
 * decrypted by its deadline, that is, when sequence numbers run without a gap from the marker of the frame
 * before it to its own. The deadline counts from the first packet of the same instant in any rendition.
 *
 * Frames before the first marker of a rendition do not count. Does no I/O and reads no clock.
 */
export class FrameJudge {
  readonly #deadline: Millis
  readonly #onFrame: ((frame: ArrivedFrame) => void) | undefined
  readonly #renditions = new Map<RenditionId, RenditionFrames>()
  /** Not yet judged, oldest first. */
  readonly #instants: Instant[] = []
  #judgedThrough: RtpTimestamp | undefined
  #instantCount = 0

  /**
   * @param deadline - From the first packet of an instant to the last moment at which its packets count.
   * @param onFrame - Told of every frame of which anything came, at that moment; also of those that do not count.
   */
  constructor(deadline: Millis, onFrame?: (frame: ArrivedFrame) => void) {
    this.#deadline = deadline
    this.#onFrame = onFrame
  }

  /** What it expects now. */
  get expected(): Iterable<RenditionId> {
    return this.#renditions.keys()
  }

  /** Expects exactly these renditions from now on. Those that left are forgotten, new ones begin anew. */
  expect(renditions: readonly RenditionId[]): void {
    const wanted = new Set(renditions)
    for (const id of this.#renditions.keys()) if (!wanted.has(id)) this.#renditions.delete(id)
    for (const id of wanted) if (!this.#renditions.has(id)) this.#renditions.set(id, new RenditionFrames())
  }

  /** Takes one packet. One of a rendition that is not expected is ignored. */
  push(renditionId: RenditionId, packet: JudgedPacket, now: Millis): void {
    const rendition = this.#renditions.get(renditionId)
    if (rendition === undefined) return
    const isOpen = this.#judgedThrough === undefined || isRtpNewer(packet.timestamp, this.#judgedThrough)
    if (isOpen) this.#meetInstant(packet.timestamp, now)
    rendition.push(packet, isOpen, now)
  }

  /** Judges every instant whose deadline has passed. */
  judge(now: Millis): void {
    for (let oldest = this.#instants[0]; oldest !== undefined && oldest.deadline < now; oldest = this.#instants[0]) {
      this.#instants.shift()
      this.#judgedThrough = oldest.timestamp
      this.#instantCount++
      for (const [renditionId, rendition] of this.#renditions) {
        const frame = rendition.judge(oldest.timestamp, oldest.deadline)
        if (frame !== undefined) this.#onFrame?.({ renditionId, timestamp: oldest.timestamp, packets: frame.packets, lastAt: frame.lastAt })
      }
    }
  }

  /** Verdicts since the last call, of renditions that are expected now. */
  take(): ReadonlyMap<RenditionId, FrameTally> {
    const tallies = new Map<RenditionId, FrameTally>()
    for (const [id, rendition] of this.#renditions) {
      const { intact, damaged, missing } = rendition
      tallies.set(id, { intact, damaged, missing })
      rendition.intact = rendition.damaged = rendition.missing = 0
    }
    return tallies
  }

  /** Instants judged since the last call. */
  takeInstants(): number {
    const count = this.#instantCount
    this.#instantCount = 0
    return count
  }

  #meetInstant(timestamp: RtpTimestamp, now: Millis): void {
    let index = this.#instants.length
    for (; index > 0; index--) {
      const elapsed = rtpElapsed(this.#instants[index - 1]?.timestamp ?? timestamp, timestamp)
      if (elapsed === 0) return
      if (elapsed > 0) break
    }
    this.#instants.splice(index, 0, { timestamp, deadline: millis(now + this.#deadline) })
  }
}
