import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceDurably } from '../../runtime/durable-file.ts'
import { RelayFault } from '../../wire/fault.ts'
import { RegistryContents } from './registry.ts'
import type { SnapshotSigner } from './snapshot.ts'

const FILE_NAME = 'registry.json'

/** What an editor may change of a registry: everything but its version and its times. */
export type RegistryDraft = Omit<RegistryContents, 'version' | 'issuedAtMillis' | 'expiresAtMillis'>

const EMPTY: RegistryDraft = { facilities: [], nodes: [], links: [], services: [], practitioners: [], revokedCertificates: [] }

/** How a registry is kept by the core. */
export interface RegistryLedgerOptions {
  readonly folder: string
  readonly signer: SnapshotSigner
  /** How long a version is good for. */
  readonly lifetimeMillis: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** The registry where it is made: each change is a version of its own, signed before anybody hears of it. */
export class RegistryLedger {
  readonly #options: RegistryLedgerOptions
  readonly #listeners = new Set<(snapshot: string) => void>()
  #contents: RegistryContents
  #snapshot = ''
  #work: Promise<unknown> = Promise.resolve()

  private constructor(options: RegistryLedgerOptions, contents: RegistryContents) {
    this.#options = options
    this.#contents = contents
  }

  /** @throws {RelayFault} `bad_config` when what is kept there cannot be read. */
  static async open(options: RegistryLedgerOptions): Promise<RegistryLedger> {
    const contents = await readContents(join(options.folder, FILE_NAME))
    const ledger = new RegistryLedger(options, contents ?? { version: 0, issuedAtMillis: 0, expiresAtMillis: 0, ...EMPTY })
    await ledger.edit(draft => draft)
    return ledger
  }

  get contents(): RegistryContents {
    return this.#contents
  }

  /** The newest version, signed. */
  get snapshot(): string {
    return this.#snapshot
  }

  /**
   * Makes a new version of what `change` returns; changes wait for each other.
   *
   * @returns The contents of the new version.
   * @throws {RelayFault} `registry_refused` for what contradicts itself; then nothing has changed.
   */
  async edit(change: (draft: RegistryDraft) => RegistryDraft): Promise<RegistryContents> {
    const editing = this.#work.then(() => this.#edit(change))
    this.#work = editing.catch(() => undefined)
    return editing
  }

  /** A new version with the same contents, for when the old one is soon to expire. */
  async renew(): Promise<void> {
    await this.edit(draft => draft)
  }

  /** @returns Stops listening. */
  changed(listener: (snapshot: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #edit(change: (draft: RegistryDraft) => RegistryDraft): Promise<RegistryContents> {
    const { folder, signer, lifetimeMillis, now } = this.#options
    const { version, issuedAtMillis: _, expiresAtMillis: __, ...draft } = this.#contents
    const issuedAtMillis = Math.round(now())
    const next = RegistryContents.safeParse({ ...change(draft), version: version + 1, issuedAtMillis, expiresAtMillis: issuedAtMillis + lifetimeMillis })
    if (!next.success) throw new RelayFault('registry_refused', 'that would be no registry', { cause: next.error })
    const snapshot = await signer.sign(next.data)
    await replaceDurably(join(folder, FILE_NAME), JSON.stringify(next.data, null, 2))
    this.#contents = next.data
    this.#snapshot = snapshot
    for (const listener of this.#listeners) listener(snapshot)
    return next.data
  }
}

async function readContents(path: string): Promise<RegistryContents | undefined> {
  try {
    return RegistryContents.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new RelayFault('bad_config', `${path} is not a registry`, { cause })
  }
}
