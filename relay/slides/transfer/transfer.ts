import type { Sha256, SlideId } from '../../wire/ids.ts'
import type { ScannerKey, SlideStructure } from '../../wire/slide.ts'
import type { LevelIndex } from '../manifest/level-index.ts'
import type { SquareRef } from '../tiles/square-shelf.ts'

/** A level whose tiles were all read: which chunks it has, and the signed head. */
export interface PreparedLevel {
  readonly level: number
  readonly index: LevelIndex
  /** As it is sent. */
  readonly indexBytes: Buffer
  /** JWS in compact serialisation. */
  readonly head: string
}

/** A slide without names, ready to leave. */
export interface PreparedSlide extends AsyncDisposable {
  readonly structure: SlideStructure
  /** As it is sent. */
  readonly structureBytes: Buffer
  readonly key: ScannerKey
  /** Reads levels, the coarsest first, and yields each as soon as it is known: one that has to be made may come after finer ones. May be called again after an abort. @throws {RelayFault} `bad_slide`. */
  levels(signal: AbortSignal): AsyncIterable<PreparedLevel>
  /** The bytes of a chunk, read again from the file. @throws {RelayFault} `bad_slide` when the file is another one by now. */
  readChunk(level: PreparedLevel, chunk: number): Promise<Buffer>
  /** A square of tiles with its signed head, as it is sent ahead of its level; undefined for one that cannot be: its level is made, or it is too long. @throws {RelayFault} `bad_slide`. */
  readSquare(level: number, square: number): Promise<Buffer | undefined>
  /** The signed slide head, JWS; only after all levels were yielded. */
  head(): Promise<string>
}

/** Chunks that viewers wait for, the most urgent first. */
export interface WantedChunks {
  /** Grows with every change. */
  readonly serial: number
  readonly chunks: readonly { readonly level: number; readonly chunk: number }[]
  /** Squares of levels that the node does not know yet. */
  readonly squares: readonly SquareRef[]
}

/** What a sender asks of the node besides chunks. All may be repeated. */
export interface SlideDoor {
  announce(slide: Pick<PreparedSlide, 'structureBytes' | 'key'>, signal: AbortSignal): Promise<void>
  /** @returns As {@link missing}. */
  putLevel(slideId: SlideId, level: PreparedLevel, signal: AbortSignal): Promise<Uint8Array>
  /** One bit per chunk of the level, bit 0 of byte 0 first; set: missing. */
  missing(slideId: SlideId, level: number, signal: AbortSignal): Promise<Uint8Array>
  /** Waits until something other than `after` is wanted, some seconds at most. */
  wanted(slideId: SlideId, after: number, signal: AbortSignal): Promise<WantedChunks>
  complete(slideId: SlideId, head: string, signal: AbortSignal): Promise<void>
}

/** A way for chunks to the node. */
export interface ChunkCarrier extends AsyncDisposable {
  readonly kind: 'https' | 'link' | 'local'
  /** How many chunks may be under way at once, at this moment. */
  readonly window: number
  /** Something will be put soon: opens what takes a while to open. Idempotent. */
  warm?(): void
  /** Resolves when the chunk is durable at the far end. An urgent one goes before others where the way has an order. @throws {RelayFault} the node's refusal; `unavailable` or `timeout`, after which it may be repeated. */
  put(slideId: SlideId, sha256: Sha256, body: Buffer, signal: AbortSignal, isUrgent?: boolean): Promise<'stored' | 'known'>
  /** Resolves when a square that was wanted is held at the far end, which does not promise to keep it. Goes before everything that is not urgent. @throws {RelayFault} As {@link put}. */
  putSquare(slideId: SlideId, message: Buffer, signal: AbortSignal): Promise<void>
}
