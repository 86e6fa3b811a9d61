import { readdir, stat, truncate, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { PACK_BYTES, packName } from './pack-writer.ts'
import type { Logger } from '../../runtime/log.ts'
import type { MetadataReader } from './metadata-reader.ts'
import type { MetadataWriter } from './metadata-writer.ts'

/**
 * Makes packs and their rows agree again after a crash: what was appended and never committed goes, chunks whose bytes are
 * gone count as not here.
 *
 * @returns The pack to go on with.
 */
export async function recoverPacks(directory: string, reader: MetadataReader, writer: MetadataWriter, log: Logger): Promise<{ readonly pack: number; readonly end: number }> {
  const rows = new Map(reader.packs().map(row => [packName(row.id), row]))
  let newest = 0
  for (const name of await readdir(directory)) {
    const row = rows.get(name)
    if (row !== undefined) continue
    // Appended, but never committed: nobody was told that it is here.
    await unlink(join(directory, name))
  }
  let last = { pack: 1, end: 0 }
  let lost = 0
  for (const [name, { id, size }] of rows) {
    newest = Math.max(newest, id)
    const path = join(directory, name)
    const length = await stat(path).then(found => found.size, () => 0)
    if (length > size) await truncate(path, size)
    if (length < size) {
      const gone = reader.chunksOf(id, length)
      lost += gone.length
      if (gone.length > 0) await writer.submit({ kind: 'dropChunks', ids: gone.map(row => row.id) })
    }
    last = length >= size && size < PACK_BYTES ? { pack: id, end: size } : { pack: newest + 1, end: 0 }
  }
  if (lost > 0) log.error({ lost }, 'chunks of slides are lost')
  return last
}
