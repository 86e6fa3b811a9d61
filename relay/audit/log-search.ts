import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { RelayFault } from '../wire/fault.ts'
import { Sha256 } from '../wire/ids.ts'
import { AUDIT_PUBLIC_KEY_FILE } from './audit-key.ts'
import type { Logger } from '../runtime/log.ts'
import type { AuditFindings, AuditSearch, LogCheck } from '../wire/operator.ts'
import type { SearchOrder, SearchResult } from './search-thread.ts'
import type { VerifyOrder, VerifyResult } from './verify/verify-thread.ts'

/** A log is not verified again within this. */
const CHECK_AGAIN_MILLIS = 60_000
/** How long a search waits for a verification that is under way. */
const CHECK_PATIENCE_MILLIS = 4000
const NOTHING_YET: LogCheck = { state: 'busy', events: 0, findings: 0, root: null, checkedAtMillis: null }

/** Where a log is, and its key. */
export interface LogSearchOptions {
  /** Folder of the log. */
  readonly directory: string
  /** Folder of the key that it is signed with. */
  readonly keyFolder: string
  readonly log: Logger
}

/** Searches the log of this process, and says whether its chain is what was written. A log may be long: it is read on threads of their own. */
export class LogSearch {
  readonly #options: LogSearchOptions
  #check: LogCheck = NOTHING_YET
  #checking: Promise<void> | undefined

  constructor(options: LogSearchOptions) {
    this.#options = options
  }

  /** @param nowMillis - Since the epoch. @throws {RelayFault} `bad_audit_log` when it cannot be read. */
  async find({ limit, ...wanted }: AuditSearch, nowMillis: number): Promise<AuditFindings> {
    const isFresh = this.#check.checkedAtMillis !== null && nowMillis - this.#check.checkedAtMillis < CHECK_AGAIN_MILLIS
    if (!isFresh) this.#checking ??= this.#verify(nowMillis).finally(() => (this.#checking = undefined))
    const patience = new AbortController()
    const checked = Promise.race([this.#checking, delay(CHECK_PATIENCE_MILLIS, patience.signal)])
    try {
      const { page } = (await runThread('search-thread.ts', { directory: this.#options.directory, query: { ...wanted, limit } } satisfies SearchOrder)) as SearchResult
      if (page === null) throw new RelayFault('bad_audit_log', 'the audit log cannot be read: have it verified')
      await checked
      const { entries, next } = page
      return { entries: entries.map(({ sequence, recordedAtMillis, event }) => ({ sequence, recordedAtMillis, event })), hasMore: next !== null && entries.length >= limit, check: this.#check }
    } finally {
      patience.abort()
    }
  }

  async #verify(nowMillis: number): Promise<void> {
    try {
      let result = await this.#verifyOnce()
      // An event may be on its way to the disk while it is read: what is altered stays so.
      if (result.findings > 0) result = await this.#verifyOnce()
      this.#check = { state: result.findings === 0 ? 'intact' : 'altered', events: result.events, findings: result.findings, root: result.root === null ? null : Sha256.parse(result.root), checkedAtMillis: nowMillis }
    } catch (err) {
      this.#options.log.error({ err }, 'the audit log cannot be verified')
      this.#check = { ...NOTHING_YET, state: 'unreadable', checkedAtMillis: nowMillis }
    }
  }

  async #verifyOnce(): Promise<VerifyResult> {
    const { directory, keyFolder } = this.#options
    const order: VerifyOrder = { directory, publicKeyPem: await readFile(join(keyFolder, AUDIT_PUBLIC_KEY_FILE), 'utf8') }
    return (await runThread('verify/verify-thread.ts', order)) as VerifyResult
  }
}

/** Runs a thread of this folder to its one message. @throws whatever ends it before; `bad_audit_log` when nothing did. */
async function runThread(file: string, workerData: unknown): Promise<unknown> {
  const worker = new Worker(new URL(file, import.meta.url), { workerData })
  worker.unref()
  const ended = once(worker, 'exit').then(() => {
    throw new RelayFault('bad_audit_log', 'the thread ended without a result')
  })
  try {
    const [result] = (await Promise.race([once(worker, 'message'), ended])) as [unknown]
    return result
  } finally {
    ended.catch(() => undefined)
    await worker.terminate()
  }
}

function delay(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, millis)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    }, { once: true })
  })
}
