import { Worker } from 'node:worker_threads'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { LevelOrder, LevelReply, LevelRequest } from './level-worker.ts'

interface Waiting {
  readonly onTiles: (count: number) => void
  readonly index: PromiseWithResolvers<Buffer>
}

/** Reads levels on a thread of its own, one after the other, so that sending does not wait for hashing. */
export class LevelThread implements AsyncDisposable {
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #lastId = 0

  /** Begins to load the thread, before there is something to read. Idempotent. */
  warm(): void {
    if (this.#worker !== undefined) return
    const worker = new Worker(new URL('./level-worker.ts', import.meta.url))
    this.#worker = worker
    // A scanner that has done its work ends, whether it is thanked for it or not.
    worker.unref()
    worker.on('message', (reply: LevelReply) => this.#hear(reply))
    worker.on('error', error => this.#end(worker, new RelayFault('internal', 'the thread that reads levels failed', { cause: error })))
    worker.on('exit', () => this.#end(worker, new RelayFault('unavailable', 'the thread that reads levels ended')))
  }

  /**
   * Reads a level and hashes it.
   *
   * @param onTiles - Called with tiles that were read since it was called last.
   * @returns Its index, as it is sent. @throws {RelayFault} `bad_slide`. The signal's reason.
   */
  async build(request: Omit<LevelRequest, 'id'>, onTiles: (count: number) => void, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted()
    this.warm()
    const id = ++this.#lastId
    const index = Promise.withResolvers<Buffer>()
    const cancel = (): void => {
      this.#post({ cancel: id })
      index.reject(signal.reason as Error)
    }
    this.#waiting.set(id, { onTiles, index })
    this.#worker?.ref()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      this.#post({ id, ...request })
      return await index.promise
    } finally {
      signal.removeEventListener('abort', cancel)
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) this.#worker?.unref()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate()
  }

  #post(order: LevelOrder): void {
    this.#worker?.postMessage(order)
  }

  #hear(reply: LevelReply): void {
    const waiting = this.#waiting.get(reply.id)
    if (waiting === undefined) return
    if ('tiles' in reply) waiting.onTiles(reply.tiles)
    else if ('index' in reply) waiting.index.resolve(Buffer.from(reply.index.buffer, reply.index.byteOffset, reply.index.byteLength))
    else waiting.index.reject(new RelayFault(reply.code, reply.message))
  }

  #end(worker: Worker, reason: RelayFault): void {
    if (this.#worker === worker) this.#worker = undefined
    for (const { index } of this.#waiting.values()) index.reject(reason)
  }
}
