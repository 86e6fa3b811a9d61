import { createHash } from 'node:crypto'
import { checkDocument } from '../../relay/slides/store/slide-store.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { ChunkListener, IndexedLength, LevelRecord, SlideRecord, SlideStore, StoreDefect, StoreUsage } from '../../relay/slides/store/slide-store.ts'
import type { ConsultationId, MemberId, Sha256, SlideId } from '../../relay/wire/ids.ts'

interface KeptSlide {
  record: SlideRecord
  head: string | undefined
  readonly levels: Map<number, LevelRecord>
  /** Chunks it refers to. */
  readonly chunks: Set<Sha256>
  readonly documents: Map<string, Buffer>
}

/** A slide store that forgets everything with its process. */
export class MemorySlideStore implements SlideStore {
  readonly #quotaBytes: number
  readonly #slides = new Map<SlideId, KeptSlide>()
  /** By owner and name; the length as said, and the bytes when they are here. */
  readonly #chunks = new Map<string, { readonly sha256: Sha256; readonly owner: MemberId; readonly length: number; body: Buffer | undefined }>()
  readonly #listeners = new Set<ChunkListener>()

  constructor({ quotaBytes = 2 ** 40 }: { readonly quotaBytes?: number } = {}) {
    this.#quotaBytes = quotaBytes
  }

  async createSlide(record: Omit<SlideRecord, 'state' | 'createdAtMillis'>): Promise<void> {
    const kept = this.#slides.get(record.slideId)?.record
    if (kept === undefined) {
      this.#slides.set(record.slideId, { record: { ...record, state: 'arriving', createdAtMillis: Date.now() }, head: undefined, levels: new Map(), chunks: new Set(), documents: new Map() })
      return
    }
    const isSame = kept.owner === record.owner && kept.consultationId === record.consultationId && kept.key.x === record.key.x && kept.structureBytes.equals(record.structureBytes)
    if (!isSame) throw new RelayFault('conflict', 'another slide has this id')
  }

  slide(slideId: SlideId): SlideRecord | undefined {
    return this.#slides.get(slideId)?.record
  }

  slidesOf(consultationId: ConsultationId): readonly SlideRecord[] {
    return [...this.#slides.values()].map(({ record }) => record).filter(record => record.consultationId === consultationId)
  }

  async putLevel(slideId: SlideId, record: LevelRecord, chunks: readonly IndexedLength[]): Promise<void> {
    const slide = this.#slide(slideId)
    const { owner } = slide.record
    if (slide.record.structure.levels[record.level] === undefined) throw new RelayFault('out_of_range', 'the slide has no such level')
    const kept = slide.levels.get(record.level)
    if (kept !== undefined) {
      if (!kept.index.equals(record.index)) throw new RelayFault('conflict', 'another index is kept for this level')
      return
    }
    const said = new Map(chunks.map(({ sha256, length }) => [sha256, length]))
    if (chunks.some(({ sha256, length }) => said.get(sha256) !== length || (this.#chunk(owner, sha256)?.length ?? length) !== length)) throw new RelayFault('bad_slide', 'a chunk is said to have two lengths')
    let missing = record.index.length
    for (const name of new Set([...slide.chunks, ...said.keys()])) {
      const chunk = this.#chunk(owner, name)
      if (chunk?.body === undefined) missing += chunk?.length ?? said.get(name) ?? 0
    }
    if (this.usage().bytes + missing > this.#quotaBytes) throw new RelayFault('quota_exceeded', 'the slide does not fit')
    slide.levels.set(record.level, record)
    for (const [sha256, length] of said) {
      slide.chunks.add(sha256)
      if (this.#chunk(owner, sha256) === undefined) this.#chunks.set(`${owner}/${sha256}`, { owner, sha256, length, body: undefined })
    }
  }

  level(slideId: SlideId, level: number): LevelRecord | undefined {
    return this.#slides.get(slideId)?.levels.get(level)
  }

  levels(slideId: SlideId): readonly number[] {
    return [...(this.#slides.get(slideId)?.levels.keys() ?? [])].sort((a, b) => a - b)
  }

  async putChunk(owner: MemberId, sha256: Sha256, body: Buffer): Promise<'stored' | 'known'> {
    const chunk = this.#chunk(owner, sha256)
    if (chunk === undefined) throw new RelayFault('not_found', 'no slide refers to the chunk')
    if (chunk.body !== undefined) return 'known'
    if (chunk.length !== body.length) throw new RelayFault('hash_mismatch', 'the chunk is of another length')
    if (this.usage().bytes + body.length > this.#quotaBytes) throw new RelayFault('quota_exceeded', 'the store has no room')
    chunk.body = Buffer.from(body)
    this.#tell(owner, sha256, true)
    return 'stored'
  }

  hasChunks(owner: MemberId, names: readonly Sha256[]): boolean[] {
    return names.map(name => this.#chunk(owner, name)?.body !== undefined)
  }

  async readChunk(owner: MemberId, sha256: Sha256, offset: number, length: number): Promise<Buffer> {
    const body = this.#chunk(owner, sha256)?.body
    if (body === undefined) throw new RelayFault('not_found', 'the chunk is not here')
    if (!Number.isInteger(offset) || !Number.isInteger(length) || offset < 0 || length < 0 || offset + length > body.length) throw new RelayFault('out_of_range', 'the chunk is shorter')
    return Buffer.from(body.subarray(offset, offset + length))
  }

  async completeSlide(slideId: SlideId, head: string): Promise<void> {
    const slide = this.#slide(slideId)
    if (slide.head !== undefined && slide.head !== head) throw new RelayFault('conflict', 'another head is kept for this slide')
    const isWhole = slide.levels.size === slide.record.structure.levels.length && this.hasChunks(slide.record.owner, [...slide.chunks]).every(Boolean)
    if (!isWhole) throw new RelayFault('wrong_state', 'parts of the slide are missing')
    slide.head = head
    slide.record = { ...slide.record, state: 'complete' }
  }

  slideHead(slideId: SlideId): string | undefined {
    return this.#slides.get(slideId)?.head
  }

  async deleteSlide(slideId: SlideId): Promise<void> {
    const slide = this.#slides.get(slideId)
    if (slide === undefined) return
    this.#slides.delete(slideId)
    const { owner } = slide.record
    for (const name of slide.chunks) {
      const isUsed = [...this.#slides.values()].some(({ record, chunks }) => record.owner === owner && chunks.has(name))
      if (!isUsed) this.#chunks.delete(`${owner}/${name}`)
    }
  }

  async putDocument(slideId: SlideId, name: string, body: Buffer | undefined): Promise<void> {
    checkDocument(name, body)
    const { documents } = this.#slide(slideId)
    if (body === undefined) {
      documents.delete(name)
      return
    }
    if (!documents.has(name) && documents.size >= 64) throw new RelayFault('quota_exceeded', 'the slide has too many documents')
    if (this.usage().bytes - (documents.get(name)?.length ?? 0) + body.length > this.#quotaBytes) throw new RelayFault('quota_exceeded', 'the document does not fit')
    documents.set(name, Buffer.from(body))
  }

  document(slideId: SlideId, name: string): Buffer | undefined {
    return this.#slides.get(slideId)?.documents.get(name)
  }

  usage(): StoreUsage {
    const here = [...this.#chunks.values()].flatMap(({ body }) => body ?? [])
    const beside = [...this.#slides.values()].flatMap(({ levels, documents }) => [...[...levels.values()].map(({ index }) => index), ...documents.values()])
    return { chunks: here.length, bytes: [...here, ...beside].reduce((sum, { length }) => sum + length, 0), quotaBytes: this.#quotaBytes }
  }

  watchChunks(listener: ChunkListener): Disposable {
    const entry: ChunkListener = (...change) => listener(...change)
    this.#listeners.add(entry)
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) }
  }

  async verify(onDefect: (defect: StoreDefect) => void, signal?: AbortSignal): Promise<{ readonly checked: number }> {
    let checked = 0
    for (const chunk of this.#chunks.values()) {
      signal?.throwIfAborted()
      const { body, owner, sha256 } = chunk
      if (body === undefined) continue
      checked++
      if (createHash('sha256').update(body).digest('hex') === sha256) continue
      chunk.body = undefined
      for (const slide of this.#slides.values()) {
        if (slide.record.owner === owner && slide.chunks.has(sha256)) slide.record = { ...slide.record, state: 'arriving' }
      }
      this.#tell(owner, sha256, false)
      onDefect({ kind: 'chunk_damaged', chunk: sha256 })
    }
    return { checked }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#slides.clear()
    this.#chunks.clear()
  }

  #slide(slideId: SlideId): KeptSlide {
    const slide = this.#slides.get(slideId)
    if (slide === undefined) throw new RelayFault('not_found', 'no such slide')
    return slide
  }

  #chunk(owner: MemberId, sha256: Sha256): { readonly length: number; body: Buffer | undefined } | undefined {
    return this.#chunks.get(`${owner}/${sha256}`)
  }

  #tell(owner: MemberId, sha256: Sha256, isHere: boolean): void {
    for (const listener of this.#listeners) listener(owner, sha256, isHere)
  }
}
