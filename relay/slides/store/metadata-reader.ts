import { DatabaseSync } from 'node:sqlite'
import { LRUCache } from 'lru-cache'
import { SLIDE_LIMITS } from '../../wire/slide.ts'
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import type { ConsultationId, MemberId, Sha256, SlideId } from '../../wire/ids.ts'
import type { ScannerKey, SlideState, SlideStructure } from '../../wire/slide.ts'
import type { LevelRecord, SlideRecord } from './slide-store.ts'

/** What is known of a chunk that a slide refers to. */
export interface ChunkRow {
  readonly id: number
  readonly owner: MemberId
  readonly sha256: Sha256
  /** In bytes. */
  readonly length: number
  /** Null when it is not here. */
  readonly pack: number | null
  readonly start: number
}

/** Committed and referred bytes of a pack. */
export interface PackRow {
  readonly id: number
  readonly size: number
  readonly live: number
}

const CHUNK_COLUMNS = "id, owner, lower(hex(sha256)) AS sha256, length, pack, coalesce(start, 0) AS start"

/** Reads metadata, on a connection that sees every finished commit. No call waits for a writer (WAL). */
export class MetadataReader implements Disposable {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #slides = new LRUCache<SlideId, SlideRecord>({ max: 256 })

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { readOnly: true, timeout: 5000 })
  }

  slide(slideId: SlideId): SlideRecord | undefined {
    const kept = this.#slides.get(slideId)
    if (kept !== undefined) return kept
    const row = this.#get('SELECT * FROM slides WHERE slide_id = ?', slideId)
    if (row === undefined) return undefined
    const structureBytes = toBuffer(row['structure'])
    const record: SlideRecord = {
      slideId,
      consultationId: row['consultation_id'] as ConsultationId,
      owner: row['owner'] as MemberId,
      key: JSON.parse(row['key'] as string) as ScannerKey,
      structure: JSON.parse(structureBytes.toString()) as SlideStructure,
      structureBytes,
      createdAtMillis: row['created_at'] as number,
      state: row['state'] as SlideState,
    }
    this.#slides.set(slideId, record)
    return record
  }

  /** What was read of slides before may be out of date. */
  forgetSlides(): void {
    this.#slides.clear()
  }

  slidesOf(consultationId: ConsultationId): readonly SlideRecord[] {
    const rows = this.#all('SELECT slide_id FROM slides WHERE consultation_id = ? ORDER BY id', consultationId)
    return rows.map(row => this.slide(row['slide_id'] as SlideId)).filter(record => record !== undefined)
  }

  slideHead(slideId: SlideId): string | undefined {
    return (this.#get('SELECT head FROM slides WHERE slide_id = ?', slideId)?.['head'] ?? undefined) as string | undefined
  }

  level(slideId: SlideId, level: number): LevelRecord | undefined {
    if (!Number.isInteger(level) || level < 0 || level >= SLIDE_LIMITS.levels) return undefined
    const row = this.#get('SELECT entries, l.head AS head FROM levels l JOIN slides s ON s.id = l.slide WHERE slide_id = ? AND level = ?', slideId, level)
    return row === undefined ? undefined : { level, index: toBuffer(row['entries']), head: row['head'] as string }
  }

  levels(slideId: SlideId): readonly number[] {
    return this.#all('SELECT level FROM levels l JOIN slides s ON s.id = l.slide WHERE slide_id = ? ORDER BY level', slideId).map(row => row['level'] as number)
  }

  document(slideId: SlideId, name: string): Buffer | undefined {
    const row = this.#get('SELECT body FROM documents d JOIN slides s ON s.id = d.slide WHERE slide_id = ? AND name = ?', slideId, name)
    return row === undefined ? undefined : toBuffer(row['body'])
  }

  chunk(owner: MemberId, sha256: Sha256): ChunkRow | undefined {
    return this.#get(`SELECT ${CHUNK_COLUMNS} FROM chunks WHERE owner = ? AND sha256 = ?`, owner, Buffer.from(sha256, 'hex')) as ChunkRow | undefined
  }

  /** Whether chunks are here, in the order of the names. One statement for all of them costs a third of one for each. */
  hasChunks(owner: MemberId, names: readonly Sha256[]): boolean[] {
    const here = names.map(() => false)
    const rows = this.#all(
      'SELECT n.key AS at FROM json_each(?) n CROSS JOIN chunks c ON c.owner = ? AND c.sha256 = unhex(n.value) WHERE c.pack IS NOT NULL', JSON.stringify(names), owner,
    )
    for (const { at } of rows) here[Number(at)] = true
    return here
  }

  /** Chunks that are here in the order of their place, some after the given one. */
  chunksAfter(place: { readonly pack: number; readonly start: number; readonly id: number }, limit: number): readonly ChunkRow[] {
    // Empty chunks share their place with the next one, so the id tells them apart.
    return this.#all(
      `SELECT ${CHUNK_COLUMNS} FROM chunks WHERE pack IS NOT NULL AND (pack, start, id) > (?, ?, ?) ORDER BY pack, start, id LIMIT ?`,
      place.pack, place.start, place.id, limit,
    ) as unknown as ChunkRow[]
  }

  packs(): readonly PackRow[] {
    return this.#all('SELECT id, size, live FROM packs ORDER BY id') as unknown as PackRow[]
  }

  /** Chunks of a pack that lie behind `end`, or all of them. */
  chunksOf(pack: number, end = -1): readonly ChunkRow[] {
    return this.#all(`SELECT ${CHUNK_COLUMNS} FROM chunks WHERE pack = ? AND start + length > ? ORDER BY start`, pack, end) as unknown as ChunkRow[]
  }

  /** Chunks that are here, and all bytes that count for the quota. */
  usage(): { readonly chunks: number; readonly bytes: number } {
    const row = this.#get(
      `SELECT count(*) AS chunks, coalesce(sum(length), 0) + (SELECT coalesce(sum(length(entries)), 0) FROM levels)
       + (SELECT coalesce(sum(length(body)), 0) FROM documents) AS bytes FROM chunks WHERE pack IS NOT NULL`,
    )
    return { chunks: Number(row?.['chunks']), bytes: Number(row?.['bytes']) }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, (statement = this.#database.prepare(sql)))
    return statement
  }

  #get(sql: string, ...values: SQLInputValue[]): Record<string, SQLInputValue> | undefined {
    return this.#statement(sql).get(...values)
  }

  #all(sql: string, ...values: SQLInputValue[]): Record<string, SQLInputValue>[] {
    return this.#statement(sql).all(...values)
  }
}

/** Without a copy. */
function toBuffer(value: SQLInputValue | undefined): Buffer {
  if (!(value instanceof Uint8Array)) throw new Error('a blob is a blob')
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}
