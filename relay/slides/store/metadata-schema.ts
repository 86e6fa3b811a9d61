import { DatabaseSync } from 'node:sqlite'

/** Kept in `user_version`; a store of another version is refused. */
const SCHEMA_VERSION = 1

/**
 * A row of `chunks` exists as long as a slide refers to the chunk; `pack` is null until its bytes are durable. A pack
 * is as long as its committed bytes, `live` of which are referred to. `AUTOINCREMENT`, because an id that was seen
 * before a deletion must not mean another chunk after it.
 */
const SCHEMA = `
  CREATE TABLE slides (
    id INTEGER PRIMARY KEY AUTOINCREMENT, slide_id TEXT NOT NULL UNIQUE, consultation_id TEXT NOT NULL, owner TEXT NOT NULL,
    key TEXT NOT NULL, structure BLOB NOT NULL, level_count INTEGER NOT NULL, created_at INTEGER NOT NULL, state TEXT NOT NULL, head TEXT
  ) STRICT;
  CREATE INDEX slides_of_consultation ON slides (consultation_id, id);
  CREATE TABLE levels (slide INTEGER NOT NULL, level INTEGER NOT NULL, entries BLOB NOT NULL, head TEXT NOT NULL, PRIMARY KEY (slide, level)) STRICT;
  CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, sha256 BLOB NOT NULL, length INTEGER NOT NULL, pack INTEGER, start INTEGER, UNIQUE (owner, sha256)
  ) STRICT;
  CREATE INDEX chunks_by_place ON chunks (pack, start) WHERE pack IS NOT NULL;
  CREATE TABLE refs (slide INTEGER NOT NULL, chunk INTEGER NOT NULL, PRIMARY KEY (slide, chunk)) STRICT, WITHOUT ROWID;
  CREATE INDEX refs_by_chunk ON refs (chunk);
  CREATE TABLE packs (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, live INTEGER NOT NULL) STRICT;
  CREATE TABLE documents (slide INTEGER NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (slide, name)) STRICT;
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/**
 * Opens the metadata of a store for writing, and makes it when there is none. With `synchronous=FULL` a commit in WAL
 * mode is on the disk when it returns; `EXTRA` would add nothing, it concerns the rollback journal.
 *
 * @throws {Error} What SQLite throws; `bad version` for a store of another version.
 * @see https://www.sqlite.org/pragma.html#pragma_synchronous
 */
export function openMetadata(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5000 })
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    const version = database.prepare('PRAGMA user_version').get()?.['user_version']
    if (version === 0) database.exec(`BEGIN; ${SCHEMA} COMMIT`)
    else if (version !== SCHEMA_VERSION) throw new Error('bad version')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}
