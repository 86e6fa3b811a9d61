import { decodeChunkPart, encodeAnswers, MAX_ANSWERS, outcomeOf, PART_BYTES, salvageTicket } from '../../relay/slides/transfer/chunk-message.ts'
import { toFault } from '../../relay/wire/fault.ts'
import { DropOldestQueue } from '../../relay/runtime/bounded-queue.ts'
import type { ChunkAnswer, ChunkOutcome, ChunkPart } from '../../relay/slides/transfer/chunk-message.ts'
import type { Sha256, SlideId } from '../../relay/wire/ids.ts'

/** Bytes of chunks that are being stored or put together, for one link. */
const MAX_HELD_BYTES = 64 * 1024 * 1024
/** Answers that wait to be sent. A chunk whose answer is lost is sent again. */
const MAX_WAITING_ANSWERS = 8192
/** When the link takes none: the next try, in milliseconds. */
const ANSWER_AGAIN_MILLIS = 50

/** What a {@link LinkReceiver} hands chunks to. */
export interface ChunkSink {
  /** Resolves when the chunk is durable. @throws {RelayFault} why it is refused. */
  putChunk(slideId: SlideId, sha256: Sha256, body: Buffer): Promise<'stored' | 'known'>
  /** Resolves when the square is held. @throws {RelayFault} why it is refused. */
  putSquare(slideId: SlideId, message: Buffer): Promise<'stored' | 'known'>
}

interface Assembly {
  readonly part: ChunkPart
  readonly chunk: Buffer
  /** Offsets that came. */
  readonly offsets: Set<number>
}

/**
 * The node's end of chunks that come by a link: puts long ones together, hands them on, and answers many at once. Bounded
 * in memory: a chunk beyond that is refused with `overloaded`, and its sender tries again.
 */
export class LinkReceiver {
  readonly #sink: ChunkSink
  readonly #send: (message: Buffer) => boolean
  readonly #onInternal: (error: unknown) => void
  readonly #assemblies = new Map<number, Assembly>()
  readonly #answers = new DropOldestQueue<ChunkAnswer>(MAX_WAITING_ANSWERS)
  /** Taken from the queue and not taken by the link yet. */
  #batch: ChunkAnswer[] = []
  #heldBytes = 0
  #isFlushing = false
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /**
   * @param send - Sends a message of the class `control`; false when the link takes none now.
   * @param onInternal - Hears of what went wrong and is no refusal.
   */
  constructor(sink: ChunkSink, send: (message: Buffer) => boolean, onInternal: (error: unknown) => void) {
    this.#sink = sink
    this.#send = send
    this.#onInternal = onInternal
  }

  /** Bytes of chunks that are being stored or put together. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Takes a message of the class `bulk`. */
  take(message: Buffer): void {
    let part: ChunkPart
    try {
      part = decodeChunkPart(message)
    } catch (error) {
      const ticket = salvageTicket(message)
      if (ticket !== undefined) this.#answer(ticket, outcomeOf(toFault(error).code))
      return
    }
    if (part.total <= PART_BYTES) void this.#store(part, part.body, 0)
    else this.#assemble(part)
  }

  /** Idempotent. What is being stored is stored; nobody hears of it. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const { chunk } of this.#assemblies.values()) this.#heldBytes -= chunk.length
    this.#assemblies.clear()
  }

  #assemble(part: ChunkPart): void {
    const { ticket, total, offset, body } = part
    let assembly = this.#assemblies.get(ticket)
    // A sender may give up a chunk in the middle, and take its ticket for another one.
    if (assembly !== undefined && !isSame(assembly.part, part)) {
      this.#forget(ticket)
      assembly = undefined
    }
    if (assembly === undefined) {
      while (this.#heldBytes + total > MAX_HELD_BYTES) {
        const [oldest] = this.#assemblies.keys()
        if (oldest === undefined) {
          this.#answer(ticket, 'overloaded')
          return
        }
        this.#forget(oldest)
        this.#answer(oldest, 'overloaded')
      }
      assembly = { part, chunk: Buffer.allocUnsafe(total), offsets: new Set() }
      this.#assemblies.set(ticket, assembly)
      this.#heldBytes += total
    }
    // Parts of a chunk never overlap, so nothing of this process's memory is left when all came.
    body.copy(assembly.chunk, offset)
    assembly.offsets.add(offset)
    if (assembly.offsets.size < Math.ceil(total / PART_BYTES)) return
    this.#assemblies.delete(ticket)
    void this.#store(part, assembly.chunk, total)
  }

  /** @param held - Bytes of it that are counted already. */
  async #store({ ticket, kind, slideId, sha256 }: ChunkPart, chunk: Buffer, held: number): Promise<void> {
    if (this.#heldBytes - held + chunk.length > MAX_HELD_BYTES) {
      this.#heldBytes -= held
      this.#answer(ticket, 'overloaded')
      return
    }
    this.#heldBytes += chunk.length - held
    try {
      this.#answer(ticket, await (kind === 'chunk' ? this.#sink.putChunk(slideId, sha256, chunk) : this.#sink.putSquare(slideId, chunk)))
    } catch (error) {
      const { code } = toFault(error)
      if (code === 'internal') this.#onInternal(error)
      this.#answer(ticket, outcomeOf(code))
    } finally {
      this.#heldBytes -= chunk.length
    }
  }

  #forget(ticket: number): void {
    const assembly = this.#assemblies.get(ticket)
    if (assembly === undefined) return
    this.#assemblies.delete(ticket)
    this.#heldBytes -= assembly.chunk.length
  }

  /** A group commit settles many at once: they are answered together. */
  #answer(ticket: number, outcome: ChunkOutcome): void {
    if (this.#isClosed) return
    this.#answers.push({ ticket, outcome })
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    while (!this.#isClosed) {
      while (this.#batch.length < MAX_ANSWERS) {
        const answer = this.#answers.shift()
        if (answer === undefined) break
        this.#batch.push(answer)
      }
      if (this.#batch.length === 0) break
      if (!this.#send(encodeAnswers(this.#batch))) {
        this.#timer = setTimeout(() => this.#flush(), ANSWER_AGAIN_MILLIS)
        return
      }
      this.#batch = []
    }
    this.#isFlushing = false
  }
}

const isSame = (a: ChunkPart, b: ChunkPart): boolean => a.kind === b.kind && a.sha256 === b.sha256 && a.slideId === b.slideId && a.total === b.total
