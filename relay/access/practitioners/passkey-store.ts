import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { RelayFault } from '../../wire/fault.ts'
import { PractitionerId } from '../../wire/access.ts'
import type { SignInTicket } from './sign-in-tickets.ts'

const FILE_NAME = 'passkeys.sqlite'
/** Keys of one person: one on each machine, and one to spare. */
const MAX_PASSKEYS = 8
const TABLES = `
  CREATE TABLE IF NOT EXISTS passkeys (credential_id TEXT PRIMARY KEY, practitioner_id TEXT NOT NULL, public_key BLOB NOT NULL, counter INTEGER NOT NULL, transports TEXT NOT NULL, made_at INTEGER NOT NULL, used_at INTEGER) STRICT;
  CREATE INDEX IF NOT EXISTS passkeys_of ON passkeys (practitioner_id);
  CREATE TABLE IF NOT EXISTS used_tickets (ticket_id TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT;
`

/** A key that somebody signs in with. */
export interface Passkey {
  /** Base64url. */
  readonly credentialId: string
  readonly practitionerId: PractitionerId
  /** COSE_Key. @see RFC 9052 section 7 */
  readonly publicKey: Uint8Array<ArrayBuffer>
  /** How often the authenticator says that it was used; always 0 with those that do not count. */
  readonly counter: number
  readonly transports: readonly string[]
  /** Milliseconds since the epoch. */
  readonly madeAtMillis: number
  /** Null: never, since it was made. */
  readonly usedAtMillis: number | null
}

/** The passkeys that one node knows, and the tickets that were used up: on the disk before anybody hears of it. */
export class PasskeyStore implements Disposable {
  readonly #database: DatabaseSync

  /** @param folder - Exists, and belongs to the node. @throws {RelayFault} `bad_config` when the file is no database of ours. */
  constructor(folder: string) {
    try {
      this.#database = new DatabaseSync(join(folder, FILE_NAME), { timeout: 5000 })
      this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${TABLES}`)
    } catch (cause) {
      throw new RelayFault('bad_config', `${join(folder, FILE_NAME)} cannot be used`, { cause })
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  /** Everybody's, or one person's. */
  list(practitionerId?: PractitionerId): Passkey[] {
    const rows = practitionerId === undefined ? this.#database.prepare('SELECT * FROM passkeys ORDER BY practitioner_id, made_at').all() : this.#database.prepare('SELECT * FROM passkeys WHERE practitioner_id = ? ORDER BY made_at').all(practitionerId)
    return rows.map(passkeyOf)
  }

  find(credentialId: string): Passkey | undefined {
    const row = this.#database.prepare('SELECT * FROM passkeys WHERE credential_id = ?').get(credentialId)
    return row === undefined ? undefined : passkeyOf(row)
  }

  isUsed({ ticketId }: Pick<SignInTicket, 'ticketId'>): boolean {
    return this.#database.prepare('SELECT 1 FROM used_tickets WHERE ticket_id = ?').get(ticketId) !== undefined
  }

  /**
   * Keeps a new key and uses up the ticket that allowed it: both or neither.
   *
   * @throws {RelayFault} `replayed` for a ticket that was used; `conflict` for a key that is known, or one too many.
   */
  add({ credentialId, practitionerId, publicKey, counter, transports, madeAtMillis }: Omit<Passkey, 'usedAtMillis'>, ticket: SignInTicket): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      if (this.isUsed(ticket)) throw new RelayFault('replayed', 'this ticket was used')
      if (this.find(credentialId) !== undefined || this.list(practitionerId).length >= MAX_PASSKEYS) throw new RelayFault('conflict', 'this key is known, or its owner has as many as may be')
      this.#database.prepare('DELETE FROM used_tickets WHERE until < ?').run(madeAtMillis)
      this.#database.prepare('INSERT INTO used_tickets VALUES (?, ?)').run(ticket.ticketId, ticket.validUntilMillis)
      this.#database.prepare('INSERT INTO passkeys VALUES (?, ?, ?, ?, ?, ?, NULL)').run(credentialId, practitionerId, publicKey, counter, JSON.stringify(transports), madeAtMillis)
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /**
   * Notes that a key was used.
   *
   * @param known - As it was found before its answer was checked.
   * @throws {RelayFault} `token_refused` when it is gone, or was used meanwhile with a counter that grows.
   */
  used({ credentialId, counter: before }: Pick<Passkey, 'credentialId' | 'counter'>, counter: number, nowMillis: number): void {
    const { changes } = this.#database.prepare('UPDATE passkeys SET counter = ?, used_at = ? WHERE credential_id = ? AND counter = ?').run(counter, nowMillis, credentialId, before)
    if (changes !== 1) throw new RelayFault('token_refused', 'this key was used meanwhile')
  }

  /** @returns How many keys somebody had, and has lost. */
  forget(practitionerId: PractitionerId): number {
    return Number(this.#database.prepare('DELETE FROM passkeys WHERE practitioner_id = ?').run(practitionerId).changes)
  }
}

function passkeyOf(row: Record<string, unknown>): Passkey {
  return {
    credentialId: String(row['credential_id']),
    practitionerId: PractitionerId.parse(row['practitioner_id']),
    publicKey: new Uint8Array(row['public_key'] as Uint8Array),
    counter: Number(row['counter']),
    transports: JSON.parse(String(row['transports'])) as string[],
    madeAtMillis: Number(row['made_at']),
    usedAtMillis: row['used_at'] === null ? null : Number(row['used_at']),
  }
}
