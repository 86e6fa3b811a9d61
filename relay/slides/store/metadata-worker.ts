/**
 * The thread that writes metadata: a commit waits for the disk, and the process that keeps slides also carries live
 * pictures. Operations that came in while a commit was under way share the next one.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { RelayFault } from '../../wire/fault.ts'
import { MetadataOperations } from './metadata-operations.ts'
import { openMetadata } from './metadata-schema.ts'
import { toStorageFault } from './storage-fault.ts'
import type { FaultCode } from '../../wire/fault.ts'
import type { MetadataOperation, OperationResult } from './metadata-operations.ts'

/** What the thread is asked. */
export interface MetadataRequest {
  readonly id: number
  /** `close` ends the thread after everything before it. */
  readonly operation: MetadataOperation | 'close'
}

/** What it answers; `id` 0 says that it is open, or why not. */
export type MetadataReply = { readonly id: number } & ({ readonly result: OperationResult } | { readonly code: FaultCode; readonly message: string })

const MAX_OPERATIONS = 256
const port = parentPort
if (port === null) throw new Error('runs as a worker thread only')
const reply = (replies: readonly MetadataReply[]): void => port.postMessage(replies)
const refusal = (id: number, thrown: unknown): MetadataReply => {
  const { code, message } = toStorageFault(thrown)
  return { id, code, message }
}

function open(): void {
  const database = openMetadata((workerData as { readonly path: string }).path)
  const operations = new MetadataOperations(database)

  function commit(requests: readonly MetadataRequest[]): MetadataReply[] {
    try {
      database.exec('BEGIN IMMEDIATE')
      const replies = requests.map(({ id, operation }): MetadataReply => {
        if (operation === 'close') return { id, result: { chunks: 0, bytes: 0, taken: [] } }
        database.exec('SAVEPOINT operation')
        try {
          const result = operations.apply(operation)
          database.exec('RELEASE operation')
          return { id, result }
        } catch (error) {
          if (!(error instanceof RelayFault)) throw error
          database.exec('ROLLBACK TO operation; RELEASE operation')
          return refusal(id, error)
        }
      })
      database.exec('COMMIT')
      return replies
    } catch (error) {
      // SQLite has rolled back by itself after some errors, a full disk among them.
      if (database.isTransaction) database.exec('ROLLBACK')
      return requests.map(({ id }) => refusal(id, error))
    }
  }

  port?.on('message', (first: MetadataRequest) => {
    const requests = [first]
    while (requests.length < MAX_OPERATIONS) {
      const next = receiveMessageOnPort(port) as { readonly message: MetadataRequest } | undefined
      if (next === undefined) break
      requests.push(next.message)
    }
    const isLast = requests.some(({ operation }) => operation === 'close')
    reply(commit(requests))
    if (isLast) {
      database.close()
      port.close()
    }
  })
}

try {
  open()
  reply([{ id: 0, result: { chunks: 0, bytes: 0, taken: [] } }])
} catch (error) {
  reply([refusal(0, error)])
}
