import { millis } from '../../wire/units.ts'
import type { Millis } from '../../wire/units.ts'

/** The queue is emptied when it was not seen empty for so long, and again when that did not do. */
const DRAIN_AFTER = millis(5000)
const DRAIN_AGAIN = millis(1500)
const LONGEST = millis(400)
/** Sending less by this part while draining. */
const DEPTH = 0.25
/** A drain that shortens the base delay by more than this, in milliseconds, found a queue under what was taken for the empty path. */
const FOUND = 1

/**
 * Empties the queue now and then, so that the delay of the empty path is seen: by sending a quarter less for as long as
 * it takes, or several times as long if the queue is not ours alone. Flows that saw an empty queue at once drain it
 * again at once. Does no I/O and reads no clock.
 *
 * @see draft-cardwell-iccrg-bbr-congestion-control-00 section 4, whose ProbeRTT pauses find each other in this way
 */
export class QueueDrain {
  #emptyAt = -Infinity
  #until = -Infinity
  #baseBefore = -Infinity
  #factor = 1
  #rate = 0

  /** The queue was seen empty, or nothing waits that would fill it. */
  empty(now: Millis): void {
    this.#emptyAt = now
  }

  /** Whether what is reported now may still be of a drain. */
  isHeard(now: Millis, roundTrip: number): boolean {
    return now < this.#until + roundTrip + 40
  }

  /** What may be sent while draining, in bits per second; undefined when there is no drain. */
  pace(now: Millis): number | undefined {
    return now < this.#until ? this.#rate * (1 - DEPTH) : undefined
  }

  /**
   * Starts a drain if it is time.
   *
   * @param queue - What stands, in milliseconds.
   * @param base - Shortest delay known.
   * @param delivered - Bits per second: more than this would not drain anything.
   * @param isRestless - Where delays wander, the queue is drained at every interval: a short delay may be luck.
   */
  step({ now, roundTrip, queue, base, delivered, isRestless }: { now: Millis; roundTrip: number; queue: number; base: number; delivered: number; isRestless: boolean }): void {
    if (this.isHeard(now, roundTrip)) return
    const since = now - this.#until
    const hasFound = base < this.#baseBefore - FOUND
    this.#baseBefore = -Infinity
    if (hasFound) this.#factor = Math.min(16, 2 * this.#factor)
    else {
      if (since < DRAIN_AGAIN || now - Math.max(this.#emptyAt, isRestless ? this.#until : -Infinity) < DRAIN_AFTER) return
      this.#factor = since < 2 * DRAIN_AGAIN ? Math.min(4, 2 * this.#factor) : 1
    }
    this.#until = now + Math.min(LONGEST, (this.#factor * (queue + 1)) / DEPTH)
    this.#baseBefore = base
    this.#rate = delivered
  }
}
