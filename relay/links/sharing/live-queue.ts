import { millis } from '../../wire/units.ts'
import { LIVE_HEADER_BYTES, PART_FLAG } from '../carrier/frames.ts'
import type { Millis } from '../../wire/units.ts'
import type { OutgoingPacket, PacketQueue } from './packet-queue.ts'

/** Packets that wait for their turn at most: half a second of 100 Mbit/s. */
const MAX_WAITING = 8192

interface WaitingPacket {
  readonly body: Buffer
  readonly queuedAt: Millis
}

/** Packets of flows in the order in which they came. The oldest are dropped when there are too many, or when they are too old. */
export class LiveQueue implements PacketQueue {
  #waiting: WaitingPacket[] = []
  #head = 0
  #dropped = 0
  /** The next place in each flow. */
  readonly #places = new Map<number, number>()

  get isEmpty(): boolean {
    return this.#head >= this.#waiting.length
  }

  /** Packets dropped since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  /** Queues one packet, in parts whose bodies have at most `room` bytes. */
  push(flow: number, payload: Buffer, room: number, now: Millis): void {
    const size = room - LIVE_HEADER_BYTES
    for (let offset = 0; offset < payload.length; offset += size) {
      const end = Math.min(payload.length, offset + size)
      const body = Buffer.allocUnsafe(LIVE_HEADER_BYTES + end - offset)
      body[0] = flow >> 8
      body[1] = flow & 0xff
      body[4] = (end < payload.length ? PART_FLAG.continues : 0) | (offset > 0 ? PART_FLAG.continuation : 0)
      payload.copy(body, LIVE_HEADER_BYTES, offset, end)
      this.#waiting.push({ body, queuedAt: now })
    }
    while (this.#waiting.length - this.#head > MAX_WAITING) this.#drop()
  }

  /** Drops what has waited longer than `limit`. */
  expire(limit: number, now: Millis): void {
    while (this.waited(now) > limit) this.#drop()
  }

  waited(now: Millis): Millis {
    const first = this.#waiting[this.#head]
    return millis(first === undefined ? 0 : now - first.queuedAt)
  }

  take(_room: number, now: Millis): OutgoingPacket | undefined {
    const waiting = this.#shift()
    if (waiting === undefined) return undefined
    const { body } = waiting
    const flow = ((body[0] ?? 0) << 8) | (body[1] ?? 0)
    const place = this.#places.get(flow) ?? 0
    this.#places.set(flow, (place + 1) & 0xffff)
    body[2] = place >> 8
    body[3] = place & 0xff
    return { sequence: 0, body, flags: 0, sentAt: now, path: 0, copiedAt: now, round: 0, isAsked: false, endOf: undefined }
  }

  #shift(): WaitingPacket | undefined {
    const first = this.#waiting[this.#head]
    if (first === undefined) return undefined
    this.#head++
    if (this.#head === this.#waiting.length) {
      this.#waiting = []
      this.#head = 0
    } else if (this.#head >= 1024) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    return first
  }

  /** The parts of one packet go together: the far end cannot tell one that was never sent from the next packet's. */
  #drop(): void {
    for (let dropped = this.#shift(); dropped !== undefined; dropped = this.#shift()) {
      this.#dropped++
      if (((dropped.body[4] ?? 0) & PART_FLAG.continues) === 0) return
    }
  }
}
