import { setImmediate as nextTurn } from 'node:timers/promises'
import { toHex } from '../../wire/tile-proof.ts'
import type { ChunkRow, MetadataReader } from './metadata-reader.ts'
import type { PackReader } from './pack-reader.ts'
import type { StoreDefect } from './slide-store.ts'

/** Chunks that are read and hashed side by side: few, so that everybody else comes first. */
const CONCURRENCY = 2
const PAGE = 64

/** What a verification needs of a store. */
export interface VerifiedStore {
  readonly reader: MetadataReader
  readonly packReader: PackReader
  /** These chunks count as not here from now on. */
  readonly drop: (rows: readonly ChunkRow[]) => Promise<void>
}

/**
 * Reads every chunk that is here and compares its SHA-256, in the order of the disk. A chunk with a defect counts as not
 * here afterwards, so that it can be sent again. Hashing runs on the thread pool.
 *
 * @throws The signal's reason.
 */
export async function verifyChunks({ reader, packReader, drop }: VerifiedStore, onDefect: (defect: StoreDefect) => void, signal?: AbortSignal): Promise<{ readonly checked: number }> {
  let checked = 0

  async function check(row: ChunkRow): Promise<void> {
    signal?.throwIfAborted()
    const kind = await defectOf(row)
    checked++
    if (kind === undefined) return
    // Moved or deleted while it was read: the row of the new place is met later, or there is none.
    const current = reader.chunk(row.owner, row.sha256)
    if (current?.pack !== row.pack || current.start !== row.start) return
    await drop([row])
    onDefect({ kind, chunk: row.sha256 })
  }

  async function defectOf({ pack, start, length, sha256 }: ChunkRow): Promise<StoreDefect['kind'] | undefined> {
    const body = pack === null ? undefined : await packReader.read(pack, start, length)
    if (body === undefined) return 'chunk_missing'
    const digest = await globalThis.crypto.subtle.digest('SHA-256', body as Uint8Array<ArrayBuffer>)
    return toHex(new Uint8Array(digest)) === sha256 ? undefined : 'chunk_damaged'
  }

  let place = { pack: -1, start: -1, id: -1 }
  for (;;) {
    const rows = reader.chunksAfter(place, PAGE)
    const last = rows.at(-1)
    if (last?.pack == null) return { checked }
    place = { pack: last.pack, start: last.start, id: last.id }
    for (let at = 0; at < rows.length; at += CONCURRENCY) {
      await Promise.all(rows.slice(at, at + CONCURRENCY).map(check))
      await nextTurn()
    }
  }
}
