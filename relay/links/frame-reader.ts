import { millis } from '../wire/units.ts'
import { DATA_FLAG, DATA_HEADER_BYTES, FRAME, readAnswer, readClassReport, readFeedback, readParity, readProbe, readRequest, readTail } from './carrier/frames.ts'
import { decodePathReport } from './measurement/path-report.ts'
import { MessageClass } from './link-class.ts'
import { retryInterval } from './repair/sequence-tracker.ts'
import type { TrafficClass } from '../wire/link.ts'
import type { Millis } from '../wire/units.ts'
import type { ProbeFrame } from './carrier/frames.ts'
import type { LiveClass } from './link-class.ts'
import type { LinkPath } from './link-path.ts'
import type { OutgoingPath } from './paths/outgoing-path.ts'

/** Frames of one datagram at most: a report has one for each path and class, and nothing has more. */
const MAX_FRAMES = 16

/** Whom frames concern. */
export interface FrameTargets {
  readonly paths: readonly LinkPath[]
  /** By index; undefined: one that the contract does not allow. */
  readonly classes: readonly (LiveClass | MessageClass | undefined)[]
  /** Of the clock that `now` is of, in milliseconds since the epoch. */
  epochOrigin(): number
  answer(path: LinkPath, frame: ProbeFrame, now: Millis): void
  arrived(id: TrafficClass, ticket: number): void
  closed(): void
}

/** How a class is repaired at the moment. */
export interface ClassRepair {
  /** That it is repaired by; undefined while none lives. */
  readonly path: OutgoingPath | undefined
  /** From sending to the last moment at which a packet is of use, in milliseconds. */
  readonly budget: number
}

/**
 * Hands each frame of a plaintext to whom it concerns. What does not add up is counted, and ends the reading of its
 * datagram; nothing it says is believed further than it can be checked.
 */
export class FrameReader {
  readonly #targets: FrameTargets
  readonly #repairOf: (each: LiveClass | MessageClass) => ClassRepair
  #malformed = 0

  /** @param repairOf - How a class is repaired. */
  constructor(targets: FrameTargets, repairOf: (each: LiveClass | MessageClass) => ClassRepair) {
    this.#targets = targets
    this.#repairOf = repairOf
  }

  /** Datagrams that did not add up. */
  get malformed(): number {
    return this.#malformed
  }

  /** @returns Whether it carried more than housekeeping. */
  read(path: LinkPath, plaintext: Buffer, now: Millis): boolean {
    let isTraffic = false
    let frames = 0
    for (let at = 4; at < plaintext.length; ) {
      const type = plaintext[at]
      if (type === FRAME.padding) break
      if (++frames > MAX_FRAMES) {
        this.#malformed++
        break
      }
      if (type === FRAME.data || type === FRAME.parity) isTraffic = true
      const end = type === FRAME.data ? this.#data(path, plaintext, at, now) : this.#other(path, plaintext, at, now)
      if (end === undefined) {
        this.#malformed++
        break
      }
      at = end
    }
    return isTraffic
  }

  #data(path: LinkPath, plaintext: Buffer, at: number, now: Millis): number | undefined {
    if (at + DATA_HEADER_BYTES > plaintext.length) return undefined
    const each = this.#targets.classes[plaintext[at + 1] ?? 255]
    const flags = plaintext[at + 2] ?? 0
    const start = at + DATA_HEADER_BYTES
    const end = start + plaintext.readUInt16BE(at + 7)
    if (each === undefined || end > plaintext.length) return undefined
    each.in.received(plaintext.readUInt32BE(at + 3), plaintext.subarray(start, end), path.index, (flags & DATA_FLAG.again) !== 0, (flags & DATA_FLAG.spread) !== 0, now)
    return end
  }

  #other(path: LinkPath, plaintext: Buffer, at: number, now: Millis): number | undefined {
    switch (plaintext[at]) {
      case FRAME.parity: {
        const read = readParity(plaintext, at)
        const each = read === undefined ? undefined : this.#targets.classes[read.frame.classId]
        if (read === undefined || each === undefined) return undefined
        each.in.parity(read.frame, now)
        return read.end
      }
      case FRAME.feedback: {
        const read = readFeedback(plaintext, at)
        if (read !== undefined) this.#targets.paths[read.frame.path]?.out.feedback(read.frame, now)
        return read?.end
      }
      case FRAME.request:
        return this.#request(plaintext, at, now)
      case FRAME.probe: {
        const read = readProbe(plaintext, at)
        if (read !== undefined) this.#targets.answer(path, read.frame, now)
        return read?.end
      }
      case FRAME.answer: {
        const read = readAnswer(plaintext, at)
        if (read !== undefined) path.answered(read.frame, this.#targets.epochOrigin(), now)
        return read?.end
      }
      case FRAME.tail: {
        const read = readTail(plaintext, at)
        const each = read === undefined ? undefined : this.#targets.classes[read.classId]
        if (read === undefined || each === undefined) return undefined
        each.in.tail(read.highest, path.index, now)
        return read.end
      }
      case FRAME.pathReport: {
        const read = decodePathReport(plaintext, at + 2)
        if (read !== undefined) this.#targets.paths[plaintext[at + 1] ?? 255]?.report(read.report)
        return read?.end
      }
      case FRAME.classReport: {
        const read = readClassReport(plaintext, at)
        const each = read === undefined ? undefined : this.#targets.classes[read.frame.classId]
        return read !== undefined && each?.hear(read.frame) === true ? read.end : undefined
      }
      case FRAME.close:
        this.#targets.closed()
        return plaintext.length
      case undefined:
      default:
        return undefined
    }
  }

  #request(plaintext: Buffer, at: number, now: Millis): number | undefined {
    const read = readRequest(plaintext, at)
    const each = read === undefined ? undefined : this.#targets.classes[read.frame.classId]
    if (read === undefined || each === undefined) return undefined
    const { path, budget } = this.#repairOf(each)
    const roundTrip = path?.roundTrip ?? millis(100)
    const times = { oneWay: millis(roundTrip / 2), round: retryInterval(roundTrip, path?.variation ?? millis(0)) }
    const known = each.out.requested(read.frame, times, budget, now)
    // It speaks of what was never sent.
    if (known === undefined) return undefined
    if (each instanceof MessageClass) for (const ticket of each.out.queue.arrived(known)) this.#targets.arrived(each.id, ticket)
    return read.end
  }
}

