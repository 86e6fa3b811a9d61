import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { RelayFault } from '../../wire/fault.ts'
import { ConsentStatement } from '../consent/consent-statement.ts'
import { ConsultationEntry } from '../consultations/consultation-entry.ts'
import type { ConsentId } from '../../wire/access.ts'
import type { ConsultationId } from '../../wire/ids.ts'

const FILE_NAME = 'core.sqlite'
const TABLES = `
  CREATE TABLE IF NOT EXISTS consents (consent_id TEXT PRIMARY KEY, statement TEXT NOT NULL, signed BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS consultations (consultation_id TEXT PRIMARY KEY, entry TEXT NOT NULL) STRICT;
`

/** What the core keeps of consents and consultations: on the disk before anybody hears of it. */
export class CoreStore implements Disposable {
  readonly #database: DatabaseSync

  /** @param folder - Exists, and belongs to the core. @throws {RelayFault} `bad_config` when the file is no database of ours. */
  constructor(folder: string) {
    try {
      this.#database = new DatabaseSync(join(folder, FILE_NAME))
      this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${TABLES}`)
    } catch (cause) {
      throw new RelayFault('bad_config', `${join(folder, FILE_NAME)} cannot be used`, { cause })
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  consents(): ConsentStatement[] {
    return this.#all('SELECT statement AS json FROM consents', ConsentStatement)
  }

  consultations(): ConsultationEntry[] {
    return this.#all('SELECT entry AS json FROM consultations', ConsultationEntry)
  }

  consent(consentId: ConsentId): ConsentStatement | undefined {
    const row = this.#database.prepare('SELECT statement AS json FROM consents WHERE consent_id = ?').get(consentId)
    return row === undefined ? undefined : ConsentStatement.parse(JSON.parse(String(row['json'])))
  }

  /** A consent as the patient's card signed it. */
  signed(consentId: ConsentId): Uint8Array | undefined {
    return this.#database.prepare('SELECT signed FROM consents WHERE consent_id = ?').get(consentId)?.['signed'] as Uint8Array | undefined
  }

  consultation(consultationId: ConsultationId): ConsultationEntry | undefined {
    const row = this.#database.prepare('SELECT entry AS json FROM consultations WHERE consultation_id = ?').get(consultationId)
    return row === undefined ? undefined : ConsultationEntry.parse(JSON.parse(String(row['json'])))
  }

  /** @param signed - The consent as the patient's card signed it. */
  addConsent(statement: ConsentStatement, signed: Uint8Array): void {
    if (this.consent(statement.consentId) !== undefined) throw new RelayFault('conflict', 'this consent is known')
    this.#database.prepare('INSERT INTO consents VALUES (?, ?, ?)').run(statement.consentId, JSON.stringify(statement), signed)
  }

  /** @returns The statement as it stands from then on. @throws {RelayFault} `not_found`. */
  withdraw(consentId: ConsentId, atMillis: number): ConsentStatement {
    const known = this.consent(consentId)
    if (known === undefined) throw new RelayFault('not_found', 'there is no such consent')
    if (known.withdrawnAtMillis !== null) return known
    const withdrawn = { ...known, withdrawnAtMillis: Math.round(atMillis) }
    this.#database.prepare('UPDATE consents SET statement = ? WHERE consent_id = ?').run(JSON.stringify(withdrawn), consentId)
    return withdrawn
  }

  putConsultation(entry: ConsultationEntry): void {
    this.#database.prepare('INSERT INTO consultations VALUES (?, ?) ON CONFLICT DO UPDATE SET entry = excluded.entry').run(entry.consultationId, JSON.stringify(entry))
  }

  #all<Kept>(query: string, schema: { parse(json: unknown): Kept }): Kept[] {
    return this.#database.prepare(query).all().map(row => schema.parse(JSON.parse(String(row['json']))))
  }
}
