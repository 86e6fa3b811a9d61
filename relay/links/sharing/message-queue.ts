import { millis } from '../../wire/units.ts'
import { MESSAGE_HEADER_BYTES } from '../carrier/frames.ts'
import { MAX_MESSAGE_BYTES, MAX_OPEN_BYTES, MAX_OPEN_MESSAGES } from '../repair/message-assembler.ts'
import type { Millis } from '../../wire/units.ts'
import type { OutgoingPacket, PacketQueue } from './packet-queue.ts'

/** Bytes that wait at most before the application is asked to wait. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

interface WaitingMessage {
  readonly id: number
  readonly body: Buffer
  readonly queuedAt: Millis
  readonly ticket: number
  readonly isUrgent: boolean
  offset: number
}

interface UnarrivedMessage {
  /** Sequence number of its last packet; Infinity until that is sent. */
  last: number
  readonly bytes: number
}

/**
 * Messages, cut to fit as they are sent. When there are too many the application has to wait; none is dropped.
 * What is under way never exceeds half of what the far end has room for.
 */
export class MessageQueue implements PacketQueue {
  readonly #waiting: WaitingMessage[] = []
  #waitingBytes = 0
  readonly #unarrived = new Map<number, UnarrivedMessage>()
  #unarrivedBytes = 0
  #nextId = 0
  #nextTicket = 1

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** Whether another message may be handed over. */
  get hasRoom(): boolean {
    return this.#waitingBytes < MAX_WAITING_BYTES && this.#unarrived.size < MAX_OPEN_MESSAGES / 2 && this.#unarrivedBytes < MAX_OPEN_BYTES / 2
  }

  /** Bytes that were handed over and have not been sent once. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Messages that were handed over and have not arrived as far as is known. */
  get unarrived(): number {
    return this.#unarrived.size
  }

  /**
   * Queues one message. The caller must not change it any more.
   *
   * @param isUrgent - Goes before those that are not, but for one of which a part was sent.
   * @returns A ticket by which its arrival is told; undefined when it is empty, too long, or there is no room.
   */
  push(body: Buffer, now: Millis, isUrgent = false): number | undefined {
    if (body.length === 0 || body.length > MAX_MESSAGE_BYTES || !this.hasRoom) return undefined
    const ticket = this.#nextTicket++
    const place = isUrgent ? this.#waiting.findIndex(other => !other.isUrgent && other.offset === 0) : -1
    const overtaken = place < 0 ? [] : this.#waiting.slice(place)
    this.#waiting.splice(place < 0 ? this.#waiting.length : place, 0, { id: this.#nextId, body, queuedAt: now, ticket, isUrgent, offset: 0 })
    this.#nextId = (this.#nextId + 1) % 0x1_0000_0000
    this.#waitingBytes += body.length
    this.#unarrived.set(ticket, { last: Infinity, bytes: body.length })
    this.#unarrivedBytes += body.length
    // What is told as arrived is looked for in the order of sending.
    for (const { ticket: other, body: { length } } of overtaken) {
      this.#unarrived.delete(other)
      this.#unarrived.set(other, { last: Infinity, bytes: length })
    }
    return ticket
  }

  waited(now: Millis): Millis {
    const first = this.#waiting[0]
    return millis(first === undefined ? 0 : now - first.queuedAt)
  }

  take(room: number, now: Millis): OutgoingPacket | undefined {
    const message = this.#waiting[0]
    if (message === undefined) return undefined
    const length = Math.min(room - MESSAGE_HEADER_BYTES, message.body.length - message.offset)
    const body = Buffer.allocUnsafe(MESSAGE_HEADER_BYTES + length)
    body.writeUInt32BE(message.id, 0)
    body.writeUInt32BE(message.offset, 4)
    body.writeUInt32BE(message.body.length, 8)
    message.body.copy(body, MESSAGE_HEADER_BYTES, message.offset, message.offset + length)
    message.offset += length
    this.#waitingBytes -= length
    const isLast = message.offset === message.body.length
    if (isLast) this.#waiting.shift()
    return { sequence: 0, body, flags: 0, sentAt: now, path: 0, copiedAt: now, round: 0, isAsked: false, endOf: isLast ? message.ticket : undefined }
  }

  /** The last packet of a message got its number. */
  ended(ticket: number, sequence: number): void {
    const message = this.#unarrived.get(ticket)
    if (message !== undefined) message.last = sequence
  }

  /** Everything up to `sequence` arrived. @returns Tickets of the messages that did. */
  arrived(sequence: number): readonly number[] {
    const tickets: number[] = []
    for (const [ticket, { last, bytes }] of this.#unarrived) {
      if (last > sequence) break
      this.#unarrived.delete(ticket)
      this.#unarrivedBytes -= bytes
      tickets.push(ticket)
    }
    return tickets
  }
}
