import { Worker } from 'node:worker_threads'
import { RelayFault } from '../../wire/fault.ts'
import type { MetadataOperation, OperationResult } from './metadata-operations.ts'
import type { MetadataReply, MetadataRequest } from './metadata-worker.ts'

/** More operations than this do not wait at once; each carries chunks, a level or a document. */
const MAX_WAITING = 4096

/** Writes metadata on a thread of its own, in the order of the calls. */
export class MetadataWriter implements AsyncDisposable {
  readonly #worker: Worker
  readonly #waiting = new Map<number, PromiseWithResolvers<OperationResult>>()
  #lastId = 0
  #ended: RelayFault | undefined

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (replies: readonly MetadataReply[]) => {
      for (const reply of replies) {
        const waiting = this.#waiting.get(reply.id)
        this.#waiting.delete(reply.id)
        if ('result' in reply) waiting?.resolve(reply.result)
        else waiting?.reject(new RelayFault(reply.code, reply.message))
      }
    })
    worker.on('error', error => this.#end(new RelayFault('internal', 'the thread of the metadata failed', { cause: error })))
    worker.on('exit', () => this.#end(new RelayFault('unavailable', 'the store is closed')))
  }

  /** Opens the database, or makes it. @throws {RelayFault} `storage_full`; `internal` for a file that is no such database. */
  static async open(path: string): Promise<MetadataWriter> {
    const writer = new MetadataWriter(new Worker(new URL('./metadata-worker.ts', import.meta.url), { workerData: { path } }))
    const opened = Promise.withResolvers<OperationResult>()
    writer.#waiting.set(0, opened)
    try {
      await opened.promise
      return writer
    } catch (error) {
      await writer.#worker.terminate()
      throw error
    }
  }

  /** Resolves when the operation is on the disk. @throws {RelayFault} What the operation refuses; `storage_full`; `overloaded`; `unavailable` after the end. */
  async submit(operation: MetadataOperation): Promise<OperationResult> {
    if (this.#waiting.size >= MAX_WAITING) throw new RelayFault('overloaded', 'too many changes wait for the disk')
    return this.#post(operation)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended !== undefined) return
    const exited = new Promise(resolve => this.#worker.once('exit', resolve))
    await this.#post('close')
    await exited
  }

  async #post(operation: MetadataRequest['operation']): Promise<OperationResult> {
    if (this.#ended !== undefined) throw this.#ended
    const id = ++this.#lastId
    const waiting = Promise.withResolvers<OperationResult>()
    this.#waiting.set(id, waiting)
    this.#worker.postMessage({ id, operation } satisfies MetadataRequest)
    return waiting.promise
  }

  #end(reason: RelayFault): void {
    this.#ended ??= reason
    for (const { reject } of this.#waiting.values()) reject(reason)
    this.#waiting.clear()
  }
}
