import { stat } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { StillPngFailure, StillPngTask } from './still-png-worker.ts'

/** Pictures that are being made, or wait to be. One frame of 8K takes 150 MB while it is made. */
const MAX_WAITING = 16

/** Makes PNGs of planes, one after the other, each in a thread of its own. */
export class StillPngs implements AsyncDisposable {
  readonly #making = new Map<string, Promise<void>>()
  #last: Promise<void> = Promise.resolve()
  #worker: Worker | undefined
  #isClosing = false

  /**
   * The PNG is there when this resolves: made, or known from before.
   *
   * @throws {RelayFault} `overloaded`; `storage_full`; `unavailable` once this is closed; `internal` when it cannot be made.
   */
  async ensure(task: StillPngTask): Promise<void> {
    if (await stat(task.pngPath).then(() => true, () => false)) return
    const making = this.#making.get(task.pngPath)
    if (making !== undefined) return making
    if (this.#making.size >= MAX_WAITING) throw new RelayFault('overloaded', 'many pictures are being made')
    const made = this.#last.then(() => this.#make(task)).finally(() => this.#making.delete(task.pngPath))
    this.#making.set(task.pngPath, made)
    this.#last = made.catch(() => undefined)
    return made
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true
    await this.#worker?.terminate()
    await this.#last
  }

  async #make(task: StillPngTask): Promise<void> {
    if (this.#isClosing) throw new RelayFault('unavailable', 'the node is stopping')
    const worker = new Worker(new URL('./still-png-worker.ts', import.meta.url), { workerData: task })
    this.#worker = worker
    const ended = Promise.withResolvers<undefined>()
    let failure: RelayFault | undefined
    worker.once('message', ({ failed }: StillPngFailure) => (failure = new RelayFault(failed, 'the PNG of a still cannot be made')))
    worker.once('error', cause => ended.reject(new RelayFault('internal', 'the PNG of a still cannot be made', { cause })))
    worker.once('exit', code => {
      if (failure !== undefined) ended.reject(failure)
      else if (code === 0) ended.resolve(undefined)
      else ended.reject(new RelayFault('unavailable', 'the making of a PNG was ended'))
    })
    await ended.promise
  }
}
