import type { Sha256, SlideId } from '../../wire/ids.ts'
import type { SlideReceiver, SlideSource } from './slide-receiver.ts'
import type { ChunkCarrier, PreparedLevel, PreparedSlide, SlideDoor, WantedChunks } from './transfer.ts'

/** Chunks that are read and stored side by side. */
const WINDOW = 4

/** Door and carrier to a receiver in the same process. What comes by it is checked like anything else. */
export class LocalTransfer implements SlideDoor, ChunkCarrier {
  readonly kind = 'local'
  readonly window = WINDOW
  readonly #receiver: SlideReceiver
  readonly #source: SlideSource

  constructor(receiver: SlideReceiver, source: SlideSource) {
    this.#receiver = receiver
    this.#source = source
  }

  async announce({ structureBytes, key }: Pick<PreparedSlide, 'structureBytes' | 'key'>): Promise<void> {
    await this.#receiver.announce(this.#source, structureBytes, key)
  }

  async putLevel(slideId: SlideId, { level, indexBytes, head }: PreparedLevel): Promise<Uint8Array> {
    await this.#receiver.putLevel(this.#source, slideId, level, indexBytes, head)
    return this.missing(slideId, level)
  }

  async missing(slideId: SlideId, level: number): Promise<Uint8Array> {
    return Promise.resolve(this.#receiver.missing(this.#source, slideId, level))
  }

  wanted(slideId: SlideId, after: number, signal: AbortSignal): Promise<WantedChunks> {
    return this.#receiver.wanted(this.#source, slideId, after, signal)
  }

  complete(slideId: SlideId, head: string): Promise<void> {
    return this.#receiver.complete(this.#source, slideId, head)
  }

  put(slideId: SlideId, sha256: Sha256, body: Buffer): Promise<'stored' | 'known'> {
    return this.#receiver.putChunk(this.#source, slideId, sha256, body)
  }

  async putSquare(slideId: SlideId, message: Buffer): Promise<void> {
    await this.#receiver.putSquare(this.#source, slideId, message)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}
