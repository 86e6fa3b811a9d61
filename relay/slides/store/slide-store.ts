import { RelayFault } from '../../wire/fault.ts'
import type { ConsultationId, MemberId, Sha256, SlideId } from '../../wire/ids.ts'
import type { ScannerKey, SlideState, SlideStructure } from '../../wire/slide.ts'

/** What is kept of a slide besides its chunks. */
export interface SlideRecord {
  readonly slideId: SlideId
  readonly consultationId: ConsultationId
  /** The member whose scanner sent it: chunks are shared among the slides of one owner, and of no two. */
  readonly owner: MemberId
  readonly key: ScannerKey
  readonly structure: SlideStructure
  /** The structure as it came: what heads sign is its SHA-256. */
  readonly structureBytes: Buffer
  readonly createdAtMillis: number
  readonly state: SlideState
}

/** What is kept of one level, as it came. */
export interface LevelRecord {
  readonly level: number
  /** The level index, binary. */
  readonly index: Buffer
  /** Its signed head, JWS in compact serialisation. */
  readonly head: string
}

/** Room and use of a store, in bytes and counts. */
export interface StoreUsage {
  /** That are here. */
  readonly chunks: number
  /** Of these, of level indexes and of documents. */
  readonly bytes: number
  readonly quotaBytes: number
}

/** A chunk as a level refers to it; `length` in bytes. */
export interface IndexedLength {
  readonly sha256: Sha256
  readonly length: number
}

/** Hears of a chunk that came, or that turned out to be lost or damaged. Must not throw. */
export type ChunkListener = (owner: MemberId, sha256: Sha256, isHere: boolean) => void

/** A mistake that a verification pass found. */
export interface StoreDefect {
  readonly kind: 'chunk_missing' | 'chunk_damaged' | 'chunk_orphaned'
  readonly chunk: Sha256
}

/**
 * Keeps slides: chunks by their content, everything else by slide. What resolved is durable: it survives the loss of
 * power. All calls may run side by side; every call may be repeated.
 */
export interface SlideStore extends AsyncDisposable {
  /** @throws {RelayFault} `conflict` when the id is taken by another structure or owner. */
  createSlide(record: Omit<SlideRecord, 'state' | 'createdAtMillis'>): Promise<void>
  slide(slideId: SlideId): SlideRecord | undefined
  /** Slides of a consultation, oldest first. */
  slidesOf(consultationId: ConsultationId): readonly SlideRecord[]
  /**
   * Keeps a level and refers to its chunks.
   *
   * @param chunks - SHA-256 and length in bytes of each chunk, in order.
   * @throws {RelayFault} `not_found` for an unknown slide; `out_of_range` for a level that its structure has not; `conflict` when
   *   another index is kept for the level; `bad_slide` when a chunk has another length than a slide of the owner said before;
   *   `quota_exceeded` when what is missing of the slide does not fit beside what is here.
   */
  putLevel(slideId: SlideId, record: LevelRecord, chunks: readonly IndexedLength[]): Promise<void>
  level(slideId: SlideId, level: number): LevelRecord | undefined
  /** Levels that are known of a slide, ascending. */
  levels(slideId: SlideId): readonly number[]
  /**
   * Takes a chunk whose bytes the caller has hashed; the store trusts the name.
   *
   * @returns `known` when this owner had it already.
   * @throws {RelayFault} `not_found` when no slide of the owner refers to it; `hash_mismatch` for another length than was said;
   *   `quota_exceeded`, `storage_full`, `overloaded`; then nothing else is lost.
   */
  putChunk(owner: MemberId, sha256: Sha256, body: Buffer): Promise<'stored' | 'known'>
  /** Whether chunks are here, in the order of the names. */
  hasChunks(owner: MemberId, names: readonly Sha256[]): boolean[]
  /** Part of a chunk, `length` bytes from `offset`. @throws {RelayFault} `not_found` when it is not here; `out_of_range`. */
  readChunk(owner: MemberId, sha256: Sha256, offset: number, length: number): Promise<Buffer>
  /** @param head - The signed slide head, JWS in compact serialisation. @throws {RelayFault} `not_found`; `wrong_state` while levels or chunks are missing; `conflict` when another head is kept. */
  completeSlide(slideId: SlideId, head: string): Promise<void>
  slideHead(slideId: SlideId): string | undefined
  /** Deletes a slide, and the chunks that no other slide of its owner refers to. */
  deleteSlide(slideId: SlideId): Promise<void>
  /**
   * Small documents beside a slide, such as its annotations. `undefined` deletes. At most 64 of 16 MiB each.
   *
   * @param name - Letters, digits, `.`, `_` and `-`, 64 at most.
   * @throws {RelayFault} `not_found`; `bad_message` for a name or a length that is not allowed; `quota_exceeded`, `storage_full`.
   */
  putDocument(slideId: SlideId, name: string, body: Buffer | undefined): Promise<void>
  document(slideId: SlideId, name: string): Buffer | undefined
  usage(): StoreUsage
  /** @returns Ends it when disposed of. */
  watchChunks(listener: ChunkListener): Disposable
  /**
   * Reads every chunk again, slowly. One with a defect counts as not here afterwards, and slides that refer to it as `arriving`.
   *
   * @param onDefect - Called for each.
   * @throws The signal's reason.
   */
  verify(onDefect: (defect: StoreDefect) => void, signal?: AbortSignal): Promise<{ readonly checked: number }>
}

const DOCUMENT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024

/** @throws {RelayFault} `bad_message` for what no store keeps as a document. */
export function checkDocument(name: string, body: Buffer | undefined): void {
  if (!DOCUMENT_NAME.test(name)) throw new RelayFault('bad_message', 'not a name of a document')
  if (body !== undefined && body.length > MAX_DOCUMENT_BYTES) throw new RelayFault('bad_message', 'the document is too long')
}
