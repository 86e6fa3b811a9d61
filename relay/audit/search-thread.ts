/** A thread that looks for entries in one log. */
import { parentPort, workerData } from 'node:worker_threads'
import { RelayFault } from '../wire/fault.ts'
import { AuditReader } from './audit-reader.ts'
import type { AuditPage, AuditQuery } from './audit-reader.ts'

/** What the thread is told. */
export interface SearchOrder {
  readonly directory: string
  readonly query: AuditQuery
}

/** What it says: null when the log cannot be read. */
export interface SearchResult {
  readonly page: AuditPage | null
}

const { directory, query } = workerData as SearchOrder
const page = await new AuditReader(directory).search(query).catch((error: unknown) => {
  if (error instanceof RelayFault) return null
  throw error
})
parentPort?.postMessage({ page } satisfies SearchResult)
