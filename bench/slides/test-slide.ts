import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { IndexedLength, SlideRecord, SlideStore } from '../../relay/slides/store/slide-store.ts'
import type { ConsultationId, MemberId, Sha256, SlideId } from '../../relay/wire/ids.ts'
import type { SlideLevel, SlideStructure } from '../../relay/wire/slide.ts'

/** A chunk with its bytes. */
export interface TestChunk extends IndexedLength {
  readonly body: Buffer
}

/** Who owns a slide that nobody else does. */
export const ALICE = 'alice' as MemberId
const CASE = 'case-1' as ConsultationId

/** A chunk of random bytes. @param length - In bytes. */
export const randomChunk = (length: number): TestChunk => chunkOf(randomBytes(length))

/** The chunk that bytes are. */
export function chunkOf(body: Buffer): TestChunk {
  return { body, length: body.length, sha256: createHash('sha256').update(body).digest('hex') as Sha256 }
}

/** A slide with as many levels; nothing of it is real but its shape. */
export function testSlide({ owner = ALICE, levels = 1, consultationId = CASE }: { readonly owner?: MemberId; readonly levels?: number; readonly consultationId?: ConsultationId } = {}): Omit<SlideRecord, 'state' | 'createdAtMillis'> {
  const level: SlideLevel = { width: 1000, height: 1000, tileWidth: 256, tileHeight: 256, encoding: { compression: 'jpeg', photometric: 'ycbcr', tables: '' }, isMade: false }
  const structure: SlideStructure = {
    version: 1, slideId: randomUUID() as SlideId, format: 'tiff', pseudonym: 'TEST', micronsPerPixel: null, objectivePower: null,
    levels: Array.from({ length: levels }, () => level), removed: [],
  }
  return { slideId: structure.slideId, consultationId, owner, key: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) }, structure, structureBytes: Buffer.from(JSON.stringify(structure)) }
}

/** Makes a slide whose level 0 refers to these chunks. */
export async function withSlide(store: SlideStore, chunks: readonly IndexedLength[], owner: MemberId = ALICE): Promise<SlideId> {
  const slide = testSlide({ owner })
  await store.createSlide(slide)
  await store.putLevel(slide.slideId, { level: 0, index: Buffer.from('index'), head: 'head' }, chunks)
  return slide.slideId
}
