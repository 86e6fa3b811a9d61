import { RelayFault } from '../../wire/fault.ts'
import { sha256Of } from '../manifest/heads.ts'
import { decodeAnswers, encodeChunkPart, isAnswers, partLength } from './chunk-message.ts'
import { UnansweredChunks } from './unanswered-chunks.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Sha256, SlideId } from '../../wire/ids.ts'
import type { BitsPerSecond } from '../../wire/units.ts'
import type { ChunkAnswer, ChunkPart } from './chunk-message.ts'
import type { ChunkCarrier } from './transfer.ts'

/** How often the link is asked for room, and chunks without an answer are looked at. A link takes 4 MiB ahead: that lasts as long at 1.6 Gbit/s. In milliseconds. */
const LOOK_INTERVAL_MILLIS = 20

/** What a {@link LinkCarrier} needs of a link. */
export interface ChunkLink {
  /** Hands over a message of the class `bulk`, an urgent one to go before others. @returns A ticket by which its arrival is told; undefined when there is no room. */
  send(message: Buffer, isUrgent: boolean): number | undefined
  /** What bulk may take of the link in the long run. */
  readonly rate: BitsPerSecond
  /** Bytes of messages that were handed over and not sent once. */
  readonly waitingBytes: number
  /** Who hears of messages that arrived, of messages of the class `control`, and of the end. */
  listen(listener: { arrived(ticket: number): void; control(message: Buffer): void; closed(fault: RelayFault): void }): void
  [Symbol.asyncDispose](): Promise<void>
}

interface Put {
  readonly ticket: number
  readonly kind: ChunkPart['kind']
  readonly slideId: SlideId
  readonly sha256: Sha256
  readonly body: Buffer
  readonly isUrgent: boolean
  readonly outcome: PromiseWithResolvers<'stored' | 'known'>
  /** Where its next part begins; the length of the body when all were handed over. */
  offset: number
  /** Parts that were handed over and have not arrived. */
  parts: number
}

/**
 * Carries chunks by the class `bulk` of a link, which repairs what is lost and yields to live video. A chunk is put when
 * the node has said that it is durable: arrival at the far end is not enough.
 */
export class LinkCarrier implements ChunkCarrier {
  readonly kind = 'link'
  readonly #link: ChunkLink
  readonly #clock: Clock
  readonly #unanswered = new UnansweredChunks()
  readonly #puts = new Map<number, Put>()
  /** Not wholly handed over, in order. */
  #waiting: Put[] = []
  /** Messages under way, by the link's ticket. */
  readonly #messages = new Map<number, Put>()
  readonly #timer: NodeJS.Timeout
  #nextTicket = 1
  #closed: RelayFault | undefined

  /** Takes the link over: it ends with the carrier. */
  constructor(link: ChunkLink, clock: Clock) {
    this.#link = link
    this.#clock = clock
    link.listen({ arrived: ticket => this.#arrived(ticket), control: message => this.#hear(message), closed: fault => this.#close(fault) })
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MILLIS)
    this.#timer.unref()
  }

  get window(): number {
    const queued = this.#waiting.reduce((sum, { body, offset }) => sum + body.length - offset, this.#link.waitingBytes)
    return this.#unanswered.window(queued, this.#link.rate)
  }

  /** Bytes that were handed over and are not answered. */
  get unansweredBytes(): number {
    return this.#unanswered.bytes
  }

  put(slideId: SlideId, sha256: Sha256, body: Buffer, signal: AbortSignal, isUrgent = false): Promise<'stored' | 'known'> {
    return this.#put({ kind: 'chunk', slideId, sha256, body, isUrgent }, signal)
  }

  async putSquare(slideId: SlideId, message: Buffer, signal: AbortSignal): Promise<void> {
    await this.#put({ kind: 'square', slideId, sha256: sha256Of(message), body: message, isUrgent: true }, signal)
  }

  async #put(what: Pick<Put, 'kind' | 'slideId' | 'sha256' | 'body' | 'isUrgent'>, signal: AbortSignal): Promise<'stored' | 'known'> {
    const { body } = what
    signal.throwIfAborted()
    if (this.#closed !== undefined) throw this.#closed
    if (body.length === 0) throw new RelayFault('bad_slide', 'a chunk is empty')
    const put: Put = { ...what, ticket: this.#takeTicket(), outcome: Promise.withResolvers(), offset: 0, parts: 0 }
    const abort = (): void => this.#settle(put, () => put.outcome.reject(signal.reason as Error))
    signal.addEventListener('abort', abort, { once: true })
    this.#puts.set(put.ticket, put)
    this.#unanswered.add(put.ticket, body.length)
    this.#enqueue(put)
    this.#pump()
    try {
      return await put.outcome.promise
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close(new RelayFault('unavailable', 'closed by this side'))
    await this.#link[Symbol.asyncDispose]()
  }

  /** An urgent one goes before those that are not, but for one of which a part was handed over. */
  #enqueue(put: Put): void {
    const place = put.isUrgent ? this.#waiting.findIndex(other => !other.isUrgent && other.offset === 0) : -1
    this.#waiting.splice(place < 0 ? this.#waiting.length : place, 0, put)
  }

  /** Hands over what the link has room for. */
  #pump(): void {
    for (let put = this.#waiting[0]; put !== undefined; put = this.#waiting[0]) {
      const { ticket, kind, slideId, sha256, body, isUrgent, offset } = put
      const message = this.#link.send(encodeChunkPart({ ticket, kind, slideId, sha256, chunk: body, offset }), isUrgent)
      if (message === undefined) return
      this.#messages.set(message, put)
      put.parts++
      put.offset += partLength(body.length, offset)
      if (put.offset === body.length) this.#waiting.shift()
    }
  }

  #arrived(message: number): void {
    const put = this.#messages.get(message)
    this.#messages.delete(message)
    if (put !== undefined && --put.parts === 0 && put.offset === put.body.length) this.#unanswered.arrived(put.ticket, this.#clock.now())
    this.#pump()
  }

  /** Signaling by the link is not ours to read. */
  #hear(message: Buffer): void {
    if (!isAnswers(message)) return
    let answers: readonly ChunkAnswer[]
    try {
      answers = decodeAnswers(message)
    } catch (error) {
      // The node speaks otherwise than we do: what it does not answer is sent again, and given up in the end.
      if (error instanceof RelayFault) return
      throw error
    }
    for (const answer of answers) this.#answered(answer)
    this.#pump()
  }

  #answered({ ticket, outcome }: ChunkAnswer): void {
    const put = this.#puts.get(ticket)
    if (put === undefined) return
    if (outcome === 'overloaded') this.#unanswered.refused(ticket, this.#clock.now())
    else if (outcome === 'stored' || outcome === 'known') this.#settle(put, () => put.outcome.resolve(outcome))
    else this.#settle(put, () => put.outcome.reject(new RelayFault(outcome, 'the node refused a chunk')))
  }

  #look(): void {
    const { again, given } = this.#unanswered.step(this.#clock.now())
    for (const ticket of given) {
      const put = this.#puts.get(ticket)
      if (put !== undefined) this.#settle(put, () => put.outcome.reject(new RelayFault('timeout', 'a chunk got no answer')))
    }
    for (const ticket of again) {
      const put = this.#puts.get(ticket)
      if (put === undefined) continue
      put.offset = 0
      if (!this.#waiting.includes(put)) this.#enqueue(put)
    }
    this.#pump()
  }

  #settle(put: Put, how: () => void): void {
    if (!this.#puts.delete(put.ticket)) return
    this.#unanswered.remove(put.ticket)
    const place = this.#waiting.indexOf(put)
    if (place >= 0) this.#waiting.splice(place, 1)
    how()
  }

  #close(fault: RelayFault): void {
    if (this.#closed !== undefined) return
    this.#closed = fault
    clearInterval(this.#timer)
    for (const put of [...this.#puts.values()]) this.#settle(put, () => put.outcome.reject(fault))
    this.#waiting = []
    this.#messages.clear()
  }

  #takeTicket(): number {
    do this.#nextTicket = (this.#nextTicket + 1) % 0x1_0000_0000
    while (this.#puts.has(this.#nextTicket))
    return this.#nextTicket
  }
}
