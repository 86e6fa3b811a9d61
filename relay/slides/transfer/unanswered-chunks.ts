import { millis } from '../../wire/units.ts'
import type { BitsPerSecond, Millis } from '../../wire/units.ts'

/** What arrived whole and is not answered by then is sent again: its answer cannot be under way any more. */
const ANSWER_WITHIN = millis(10_000)
/** A node that had no room is asked again after so long. */
const ROOM_WITHIN = millis(500)
/** Then it is given up. */
const MAX_SENDINGS = 8

/** What waits to be sent lasts for so long: answers come in clumps, and a lost one holds up those after it. More would keep what is wanted at once waiting. In milliseconds. */
const QUEUE_MILLIS = 300
/** On a slow line: one chunk that leaves, and the next. In bytes. */
const LEAST_QUEUE_BYTES = 768 * 1024
/** Bytes without an answer that a sender can hold in memory. */
const MAX_UNANSWERED_BYTES = 64 * 1024 * 1024
/** Chunks without an answer at most. */
const MAX_UNANSWERED = 512
/** What a chunk is taken to be before any was sent. */
const USUAL_CHUNK_BYTES = 512 * 1024

interface Sending {
  readonly length: number
  /** When to send it again, if it is not answered before; Infinity while it may be on its way. */
  againAt: Millis
  sendings: number
}

/** What is to be done of chunks that were not answered in time. */
export interface OverdueChunks {
  readonly again: readonly number[]
  readonly given: readonly number[]
}

/** Knows which chunks wait for an answer, when to send one again, and how many more may leave. Does no I/O and reads no clock. */
export class UnansweredChunks {
  readonly #sendings = new Map<number, Sending>()
  #bytes = 0
  #meanLength = USUAL_CHUNK_BYTES

  /** Bytes of chunks that wait for an answer. */
  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#sendings.size
  }

  /** A chunk is to leave. */
  add(ticket: number, length: number): void {
    this.#sendings.set(ticket, { length, againAt: millis(Infinity), sendings: 1 })
    this.#bytes += length
    this.#meanLength += (length - this.#meanLength) / 16
  }

  /** All of it is at the far end. */
  arrived(ticket: number, now: Millis): void {
    const sending = this.#sendings.get(ticket)
    if (sending === undefined) return
    // The answer that it had no room may have overtaken the word that it arrived.
    if (sending.againAt === Infinity) sending.againAt = millis(now + ANSWER_WITHIN)
  }

  /** The far end had no room for it. */
  refused(ticket: number, now: Millis): void {
    const sending = this.#sendings.get(ticket)
    if (sending !== undefined) sending.againAt = millis(now + ROOM_WITHIN)
  }

  /** It was answered, or nobody waits for it. @returns false when that is no news. */
  remove(ticket: number): boolean {
    const sending = this.#sendings.get(ticket)
    if (sending === undefined) return false
    this.#sendings.delete(ticket)
    this.#bytes -= sending.length
    return true
  }

  /** What is overdue; those to send again count as sent. */
  step(now: Millis): OverdueChunks {
    const again: number[] = []
    const given: number[] = []
    for (const [ticket, sending] of this.#sendings) {
      if (now < sending.againAt) continue
      sending.againAt = millis(Infinity)
      if (sending.sendings++ < MAX_SENDINGS) again.push(ticket)
      else given.push(ticket)
    }
    return { again, given }
  }

  /**
   * How many chunks may wait for an answer now, so that something always waits to be sent, in chunks of their mean length.
   * How many are on the line is the link's own to decide.
   *
   * @param queued - Bytes of them that were not sent once.
   */
  window(queued: number, rate: BitsPerSecond): number {
    const wanted = Math.max(LEAST_QUEUE_BYTES, (rate / 8000) * QUEUE_MILLIS)
    const room = Math.min(wanted - queued, MAX_UNANSWERED_BYTES - this.#bytes)
    if (room <= 0) return this.size
    return Math.min(MAX_UNANSWERED, this.size + Math.ceil(room / this.#meanLength))
  }
}
