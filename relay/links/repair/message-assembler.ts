/** A longer message is refused: a chunk of a slide is at most 1 MiB, with room for what says which one it is. */
export const MAX_MESSAGE_BYTES = 1024 * 1024 + 4096
/** Messages under way at once; a sender keeps within it. */
export const MAX_OPEN_MESSAGES = 256
/** Memory of messages under way, in bytes. */
export const MAX_OPEN_BYTES = 64 * 1024 * 1024

interface OpenMessage {
  readonly body: Buffer
  /** Offsets that came; fragments of one message never overlap. */
  readonly offsets: Set<number>
  received: number
}

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

  /** Memory of what is under way. */
  get openBytes(): number {
    return this.#bytes
  }

  /** Takes one fragment. */
  push(id: number, offset: number, total: number, fragment: Buffer): FragmentFate {
    if (total < 1 || total > MAX_MESSAGE_BYTES || fragment.length === 0 || offset + fragment.length > total) return 'malformed'
    let message = this.#open.get(id)
    if (message === undefined) {
      if (this.#open.size >= MAX_OPEN_MESSAGES || this.#bytes + total > MAX_OPEN_BYTES) return 'overloaded'
      message = { body: Buffer.allocUnsafe(total), offsets: new Set(), received: 0 }
      this.#open.set(id, message)
      this.#bytes += total
    }
    if (message.body.length !== total || message.offsets.has(offset)) return 'malformed'
    fragment.copy(message.body, offset)
    message.offsets.add(offset)
    message.received += fragment.length
    if (message.received < total) return 'taken'
    this.#open.delete(id)
    this.#bytes -= total
    this.#finish(id, message.body)
    return 'taken'
  }

  #finish(id: number, body: Buffer): void {
    if (!this.#isOrdered) {
      this.#sink(body)
      return
    }
    this.#whole.set(id, body)
    for (let next = this.#whole.get(this.#next); next !== undefined; next = this.#whole.get(this.#next)) {
      this.#whole.delete(this.#next)
      this.#next = (this.#next + 1) % 0x1_0000_0000
      this.#sink(next)
    }
  }
}
