/** A longer message is refused: a chunk of a slide is at most 1 MiB, with room for what says which one it is. */
export const MAX_MESSAGE_BYTES = 1024 * 1024 + 4096
/** Messages under way at once; a sender keeps within it. */
export const MAX_OPEN_MESSAGES = 256
/** Memory of messages under way, in bytes. */
export const MAX_OPEN_BYTES = 64 * 1024 * 1024

const TWO_32 = 0x1_0000_0000

interface OpenMessage {
  readonly body: Buffer
  /** Offsets that came; fragments of one message never overlap. */
  readonly offsets: Set<number>
  received: number
}

/** Only the last fragment of a message may be shorter, so that what is kept of the rest stays small. */
const MIN_FRAGMENT_BYTES = 256

/** What became of a fragment. */
export type FragmentFate = 'taken' | 'malformed' | 'overloaded'

/**
 * Puts messages together from fragments, which come in any order and each once, and hands them over whole. Bounded
 * in number and memory. Does no I/O.
 */
export class MessageAssembler {
  readonly #open = new Map<number, OpenMessage>()
  readonly #isOrdered: boolean
  readonly #sink: (message: Buffer) => void
  /** Whole messages that wait for an earlier one. */
  readonly #whole = new Map<number, Buffer>()
  #bytes = 0
  #next = 0

  /** @param isOrdered - Whether messages are handed over in the order of their numbers; the first is 0. */
  constructor(isOrdered: boolean, sink: (message: Buffer) => void) {
    this.#isOrdered = isOrdered
    this.#sink = sink
  }

  /** Memory of what is under way, and of what waits for an earlier one. */
  get openBytes(): number {
    return this.#bytes
  }

  /** Takes one fragment. */
  push(id: number, offset: number, total: number, fragment: Buffer): FragmentFate {
    const end = offset + fragment.length
    if (total < 1 || total > MAX_MESSAGE_BYTES || fragment.length === 0 || end > total) return 'malformed'
    if (end < total && fragment.length < MIN_FRAGMENT_BYTES) return 'malformed'
    // A sender has fewer under way than that: what is further ahead would wait for ever.
    if (this.#isOrdered && (id - this.#next + TWO_32) % TWO_32 >= MAX_OPEN_MESSAGES) return 'malformed'
    let message = this.#open.get(id)
    if (message === undefined) {
      if (this.#whole.has(id)) return 'malformed'
      if (this.#open.size + this.#whole.size >= MAX_OPEN_MESSAGES || this.#bytes + total > MAX_OPEN_BYTES) return 'overloaded'
      // Zeroed: fragments that overlap leave holes, which must not show this process's memory.
      message = { body: Buffer.alloc(total), offsets: new Set(), received: 0 }
      this.#open.set(id, message)
      this.#bytes += total
    }
    if (message.body.length !== total || message.offsets.has(offset)) return 'malformed'
    fragment.copy(message.body, offset)
    message.offsets.add(offset)
    message.received += fragment.length
    if (message.received < total) return 'taken'
    this.#open.delete(id)
    this.#finish(id, message.body)
    return 'taken'
  }

  #finish(id: number, body: Buffer): void {
    if (!this.#isOrdered) {
      this.#bytes -= body.length
      this.#sink(body)
      return
    }
    this.#whole.set(id, body)
    for (let next = this.#whole.get(this.#next); next !== undefined; next = this.#whole.get(this.#next)) {
      this.#whole.delete(this.#next)
      this.#bytes -= next.length
      this.#next = (this.#next + 1) % TWO_32
      this.#sink(next)
    }
  }
}
