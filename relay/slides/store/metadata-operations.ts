import { RelayFault } from '../../wire/fault.ts'
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { ConsultationId, MemberId, SlideId } from '../../wire/ids.ts'

/** Where the bytes of a chunk are by now. */
export interface ChunkPlace {
  /** Row of the chunk. */
  readonly id: number
  /** In which pack it was; null when it was not here. */
  readonly from: number | null
  /** In the new pack, in bytes. */
  readonly start: number
}

/** What can be changed in the metadata. Each is done whole or not at all. */
export type MetadataOperation =
  | {
      readonly kind: 'createSlide'
      readonly slideId: SlideId
      readonly consultationId: ConsultationId
      readonly owner: MemberId
      readonly key: string
      readonly structure: Uint8Array
      readonly levels: number
      readonly createdAtMillis: number
    }
  | {
      readonly kind: 'putLevel'
      readonly slideId: SlideId
      readonly level: number
      readonly index: Uint8Array
      readonly head: string
      /** 32 bytes for each chunk. */
      readonly hashes: Uint8Array
      readonly lengths: Float64Array
      /** Bytes that the quota still has room for. */
      readonly room: number
    }
  | { readonly kind: 'placeChunks'; readonly pack: number; readonly end: number; readonly places: readonly ChunkPlace[] }
  | { readonly kind: 'dropChunks'; readonly ids: readonly number[] }
  | { readonly kind: 'dropPack'; readonly pack: number }
  | { readonly kind: 'completeSlide'; readonly slideId: SlideId; readonly head: string }
  | { readonly kind: 'deleteSlide'; readonly slideId: SlideId }
  | { readonly kind: 'putDocument'; readonly slideId: SlideId; readonly name: string; readonly body: Uint8Array | undefined; readonly room: number }

/** What an operation did to the use of the store, and which places were taken (`placeChunks`), or whether the pack went (`dropPack`). */
export interface OperationResult {
  readonly chunks: number
  /** Of chunks, level indexes and documents. */
  readonly bytes: number
  readonly taken: readonly boolean[]
}

const MAX_DOCUMENTS = 64
const NOTHING: OperationResult = { chunks: 0, bytes: 0, taken: [] }

/** Carries out operations on the metadata, inside a transaction that the caller owns. */
export class MetadataOperations {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** @throws {RelayFault} Why not; then some of it may be done, and the caller rolls back. */
  apply(operation: MetadataOperation): OperationResult {
    switch (operation.kind) {
      case 'createSlide': return this.#createSlide(operation)
      case 'putLevel': return this.#putLevel(operation)
      case 'placeChunks': return this.#placeChunks(operation)
      case 'dropChunks': return this.#dropChunks(operation)
      case 'dropPack': {
        // An empty chunk takes no room, and its row refers to the pack all the same.
        const row = this.#get('DELETE FROM packs WHERE id = ? AND live = 0 AND NOT EXISTS (SELECT 1 FROM chunks WHERE pack = packs.id) RETURNING id', operation.pack)
        return { ...NOTHING, taken: [row !== undefined] }
      }
      case 'completeSlide': return this.#completeSlide(operation)
      case 'deleteSlide': return this.#deleteSlide(operation)
      case 'putDocument': return this.#putDocument(operation)
      default: return operation satisfies never
    }
  }

  #createSlide({ slideId, consultationId, owner, key, structure, levels, createdAtMillis }: Extract<MetadataOperation, { kind: 'createSlide' }>): OperationResult {
    const kept = this.#get('SELECT consultation_id, owner, key, structure FROM slides WHERE slide_id = ?', slideId)
    if (kept !== undefined) {
      const isSame = kept['consultation_id'] === consultationId && kept['owner'] === owner && kept['key'] === key && areEqual(kept['structure'], structure)
      if (!isSame) throw new RelayFault('conflict', 'another slide has this id')
      return NOTHING
    }
    this.#run(
      "INSERT INTO slides (slide_id, consultation_id, owner, key, structure, level_count, created_at, state) VALUES (?, ?, ?, ?, ?, ?, ?, 'arriving')",
      slideId, consultationId, owner, key, structure, levels, createdAtMillis,
    )
    return NOTHING
  }

  #putLevel({ slideId, level, index, head, hashes, lengths, room }: Extract<MetadataOperation, { kind: 'putLevel' }>): OperationResult {
    const { id: slide, owner, level_count: levelCount } = this.#slide(slideId)
    if (!Number.isInteger(level) || level < 0 || level >= Number(levelCount)) throw new RelayFault('out_of_range', 'the slide has no such level')
    const kept = this.#get('SELECT entries FROM levels WHERE slide = ? AND level = ?', slide, level)
    if (kept !== undefined) {
      if (!areEqual(kept['entries'], index)) throw new RelayFault('conflict', 'another index is kept for this level')
      return NOTHING
    }
    this.#run('INSERT INTO levels (slide, level, entries, head) VALUES (?, ?, ?, ?)', slide, level, index, head)
    for (const [at, length] of lengths.entries()) {
      const sha256 = hashes.subarray(at * 32, at * 32 + 32)
      const chunk = this.#get('SELECT id, length FROM chunks WHERE owner = ? AND sha256 = ?', owner, sha256)
      if (chunk !== undefined && chunk['length'] !== length) throw new RelayFault('bad_slide', 'a chunk is said to have two lengths')
      const id = chunk?.['id'] ?? this.#run('INSERT INTO chunks (owner, sha256, length) VALUES (?, ?, ?)', owner, sha256, length)
      this.#run('INSERT OR IGNORE INTO refs (slide, chunk) VALUES (?, ?)', slide, id)
    }
    const missing = this.#get('SELECT coalesce(sum(c.length), 0) AS bytes FROM refs r JOIN chunks c ON c.id = r.chunk WHERE r.slide = ? AND c.pack IS NULL', slide)
    if (Number(missing?.['bytes']) + index.length > room) throw new RelayFault('quota_exceeded', 'the slide does not fit')
    return { ...NOTHING, bytes: index.length }
  }

  #placeChunks({ pack, end, places }: Extract<MetadataOperation, { kind: 'placeChunks' }>): OperationResult {
    this.#run('INSERT INTO packs (id, size, live) VALUES (?, ?, 0) ON CONFLICT (id) DO UPDATE SET size = excluded.size', pack, end)
    let [chunks, bytes] = [0, 0]
    const taken = places.map(({ id, from, start }) => {
      // A chunk that was deleted, or came on another way meanwhile, leaves unused bytes in the pack.
      const row = this.#get('UPDATE chunks SET pack = ?, start = ? WHERE id = ? AND pack IS ? RETURNING length', pack, start, id, from)
      if (row === undefined) return false
      this.#run('UPDATE packs SET live = live + ? WHERE id = ?', row['length'], pack)
      if (from === null) {
        chunks++
        bytes += Number(row['length'])
      } else this.#run('UPDATE packs SET live = live - ? WHERE id = ?', row['length'], from)
      return true
    })
    return { chunks, bytes, taken }
  }

  #dropChunks({ ids }: Extract<MetadataOperation, { kind: 'dropChunks' }>): OperationResult {
    let [chunks, bytes] = [0, 0]
    for (const id of ids) {
      const row = this.#get('SELECT length, pack FROM chunks WHERE id = ? AND pack IS NOT NULL', id)
      if (row === undefined) continue
      this.#run('UPDATE chunks SET pack = NULL, start = NULL WHERE id = ?', id)
      this.#run('UPDATE packs SET live = live - ? WHERE id = ?', row['length'], row['pack'])
      this.#run("UPDATE slides SET state = 'arriving' WHERE state = 'complete' AND id IN (SELECT slide FROM refs WHERE chunk = ?)", id)
      chunks--
      bytes -= Number(row['length'])
    }
    return { ...NOTHING, chunks, bytes }
  }

  #completeSlide({ slideId, head }: Extract<MetadataOperation, { kind: 'completeSlide' }>): OperationResult {
    const slide = this.#slide(slideId)
    if (slide['head'] !== null && slide['head'] !== head) throw new RelayFault('conflict', 'another head is kept for this slide')
    const levels = this.#get('SELECT count(*) AS count FROM levels WHERE slide = ?', slide.id)?.['count']
    const missing = this.#get('SELECT 1 FROM refs r JOIN chunks c ON c.id = r.chunk WHERE r.slide = ? AND c.pack IS NULL LIMIT 1', slide.id)
    if (levels !== slide.level_count || missing !== undefined) throw new RelayFault('wrong_state', 'parts of the slide are missing')
    this.#run("UPDATE slides SET state = 'complete', head = ? WHERE id = ?", head, slide.id)
    return NOTHING
  }

  #deleteSlide({ slideId }: Extract<MetadataOperation, { kind: 'deleteSlide' }>): OperationResult {
    const slide = this.#get('SELECT id FROM slides WHERE slide_id = ?', slideId)?.['id']
    if (slide === undefined) return NOTHING
    const beside = this.#get(
      'SELECT (SELECT coalesce(sum(length(entries)), 0) FROM levels WHERE slide = ?1) + (SELECT coalesce(sum(length(body)), 0) FROM documents WHERE slide = ?1) AS bytes', slide,
    )
    const gone = this.#statement(
      `DELETE FROM chunks WHERE id IN (SELECT chunk FROM refs WHERE slide = ?1)
       AND NOT EXISTS (SELECT 1 FROM refs WHERE chunk = chunks.id AND slide <> ?1) RETURNING length, pack`,
    ).all(slide)
    let [chunks, bytes] = [0, -Number(beside?.['bytes'])]
    for (const { length, pack } of gone) {
      if (pack === null || pack === undefined) continue
      this.#run('UPDATE packs SET live = live - ? WHERE id = ?', length, pack)
      chunks--
      bytes -= Number(length)
    }
    for (const table of ['refs', 'levels', 'documents'] as const) this.#run(`DELETE FROM ${table} WHERE slide = ?`, slide)
    this.#run('DELETE FROM slides WHERE id = ?', slide)
    return { ...NOTHING, chunks, bytes }
  }

  #putDocument({ slideId, name, body, room }: Extract<MetadataOperation, { kind: 'putDocument' }>): OperationResult {
    const { id: slide } = this.#slide(slideId)
    const before = Number(this.#get('SELECT length(body) AS bytes FROM documents WHERE slide = ? AND name = ?', slide, name)?.['bytes'] ?? 0)
    if (body === undefined) {
      this.#run('DELETE FROM documents WHERE slide = ? AND name = ?', slide, name)
      return { ...NOTHING, bytes: -before }
    }
    if (body.length - before > room) throw new RelayFault('quota_exceeded', 'the document does not fit')
    this.#run('INSERT INTO documents (slide, name, body) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body', slide, name, body)
    const count = Number(this.#get('SELECT count(*) AS count FROM documents WHERE slide = ?', slide)?.['count'])
    if (count > MAX_DOCUMENTS) throw new RelayFault('quota_exceeded', 'the slide has too many documents')
    return { ...NOTHING, bytes: body.length - before }
  }

  #slide(slideId: SlideId): Record<'id' | 'owner' | 'level_count' | 'head', SQLInputValue> {
    const row = this.#get('SELECT id, owner, level_count, head FROM slides WHERE slide_id = ?', slideId)
    if (row === undefined) throw new RelayFault('not_found', 'no such slide')
    return row
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, (statement = this.#database.prepare(sql)))
    return statement
  }

  #get(sql: string, ...values: (SQLInputValue | undefined)[]): Record<string, SQLInputValue> | undefined {
    return this.#statement(sql).get(...(values as SQLInputValue[]))
  }

  /** @returns The id of the row that was inserted last. */
  #run(sql: string, ...values: (SQLInputValue | undefined)[]): SQLInputValue {
    return this.#statement(sql).run(...(values as SQLInputValue[])).lastInsertRowid
  }
}

const areEqual = (kept: unknown, given: Uint8Array): boolean => kept instanceof Uint8Array && Buffer.compare(kept, given) === 0
