import { millis } from '../../relay/wire/units.ts'
import { SequenceUnwrapper } from './sequence-unwrapper.ts'
import type { Millis } from '../../relay/wire/units.ts'

/** When lost packets are asked for again. */
export interface LossRepairOptions {
  /** A packet may be overtaken by this much before it counts as lost. */
  readonly reorderingTolerance: Millis
  /** An unanswered request is repeated after this long. */
  readonly retryAfter: Millis
  /** A packet that has been missing for longer is of no use any more. */
  readonly giveUpAfter: Millis
}

/** Nobody repairs a stream that lost more than this at once; it needs a new keyframe. */
const MAX_MISSING = 1000

interface MissingPacket {
  readonly since: Millis
  askAt: Millis
}

/** Decides which packets of one RTP stream to ask for again. Does no I/O and reads no clock. @see RFC 4585 section 6.2.1 */
export class LossRepair {
  readonly #options: LossRepairOptions
  readonly #unwrapper = new SequenceUnwrapper()
  /** By extended sequence number, in rising order. */
  readonly #missing = new Map<number, MissingPacket>()
  #asked = 0
  #recovered = 0
  #lost = 0

  constructor(options: LossRepairOptions) {
    this.#options = options
  }

  /** Takes note of one packet, be it the first transmission or a later one. */
  received(sequenceNumber: number, now: Millis): void {
    const before = this.#unwrapper.highest
    const extended = this.#unwrapper.unwrap(sequenceNumber)
    if (before === undefined) return
    const missing = this.#missing.get(extended)
    if (missing !== undefined) {
      if (missing.askAt - missing.since > this.#options.reorderingTolerance) this.#recovered++
      this.#missing.delete(extended)
    }
    const askAt = millis(now + this.#options.reorderingTolerance)
    for (let gap = Math.max(before + 1, extended - MAX_MISSING); gap < extended; gap++) this.#missing.set(gap, { since: now, askAt })
    this.#lost += Math.max(0, extended - MAX_MISSING - before - 1)
    this.#forget(this.#missing.size - MAX_MISSING)
  }

  /** The sequence numbers to ask for now. */
  due(now: Millis): readonly number[] {
    const numbers: number[] = []
    for (const [extended, missing] of this.#missing) {
      if (now - missing.since > this.#options.giveUpAfter) {
        this.#missing.delete(extended)
        this.#lost++
      } else if (missing.askAt <= now) {
        missing.askAt = millis(now + this.#options.retryAfter)
        numbers.push(extended & 0xffff)
      }
    }
    this.#asked += numbers.length
    return numbers
  }

  /** Since the last call: requests made, packets that came after being asked for, packets given up. */
  takeCounts(): { readonly asked: number; readonly recovered: number; readonly lost: number } {
    const counts = { asked: this.#asked, recovered: this.#recovered, lost: this.#lost }
    this.#asked = this.#recovered = this.#lost = 0
    return counts
  }

  #forget(count: number): void {
    for (const extended of [...this.#missing.keys()].slice(0, Math.max(0, count))) {
      this.#missing.delete(extended)
      this.#lost++
    }
  }
}
