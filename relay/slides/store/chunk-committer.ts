import { statfs } from 'node:fs/promises'
import { RelayFault } from '../../wire/fault.ts'
import { millis } from '../../wire/units.ts'
import { CommitBatcher } from './commit-batcher.ts'
import { toStorageFault } from './storage-fault.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { ChunkPlace, MetadataOperation, OperationResult } from './metadata-operations.ts'
import type { PackWriter } from './pack-writer.ts'
import type { Millis } from '../../wire/units.ts'

/** A chunk on its way to the disk. */
export interface ChunkWrite {
  /** Row of the chunk. */
  readonly id: number
  /** Which pack it is moved from; null when it is new. */
  readonly from: number | null
  readonly body: Buffer
}

/** One group commit that reached the disk. */
export interface CommittedBatch {
  readonly chunks: number
  readonly bytes: number
  /** From the append's turn to the row on the disk, in milliseconds. */
  readonly duration: Millis
}

/** What a committer works with. */
export interface CommitterOptions {
  readonly directory: string
  readonly packs: Pick<PackWriter, 'append' | 'leave'>
  readonly commit: (operation: MetadataOperation) => Promise<OperationResult>
  readonly clock: Clock
  /** Room on the disk that new chunks leave free, for metadata, deletion and moves. In bytes. */
  readonly reserveBytes: number
  /** Must not throw. */
  readonly onCommit?: ((batch: CommittedBatch) => void) | undefined
}

const LIMITS = { count: 128, bytes: 32 * 1024 * 1024, age: millis(2) }
/** What waits or is under way, at most. In bytes. */
const MAX_PENDING_BYTES = 256 * 1024 * 1024

type Pending = ChunkWrite & PromiseWithResolvers<boolean>

/**
 * Group commit: chunks that come in side by side share one append, one `fdatasync` and one transaction. While the
 * transaction of one batch waits for the disk, the next batch is being appended.
 *
 * The order is what makes it safe: bytes are durable before a row says where they are. Whatever is lost between the two
 * leaves bytes behind the committed length of a pack, which the next opening cuts off.
 */
export class ChunkCommitter implements AsyncDisposable {
  readonly #options: CommitterOptions
  readonly #batcher = new CommitBatcher<Pending>(LIMITS)
  readonly #commits = new Set<Promise<void>>()
  #pendingBytes = 0
  #isWaking = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: CommitterOptions) {
    this.#options = options
  }

  /** Resolves when the chunk is durable; with false when its row was gone by then. @throws {RelayFault} `storage_full`, `overloaded`. */
  async add(write: ChunkWrite): Promise<boolean> {
    const { length } = write.body
    if (this.#pendingBytes + length > MAX_PENDING_BYTES) throw new RelayFault('overloaded', 'too many chunks wait for the disk')
    const pending: Pending = { ...write, ...Promise.withResolvers<boolean>() }
    this.#pendingBytes += length
    this.#batcher.add(pending, length, this.#options.clock.now())
    this.#pump()
    try {
      return await pending.promise
    } finally {
      this.#pendingBytes -= length
    }
  }

  /** What comes is put into another pack from here on. */
  async seal(): Promise<void> {
    const turn = await this.#takeTurn()
    try {
      await this.#options.packs.leave()
    } finally {
      turn.resolve(undefined)
    }
  }

  /** Waits for everything that was added. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#pendingBytes > 0 || this.#commits.size > 0) await (this.#commits.size > 0 ? Promise.all(this.#commits) : this.#options.clock.sleep(LIMITS.age))
  }

  #pump(): void {
    const { clock } = this.#options
    const { batch, wakeAt } = this.#batcher.step(clock.now())
    if (batch !== undefined) {
      const commit: Promise<void> = this.#commit(batch).finally(() => this.#commits.delete(commit))
      this.#commits.add(commit)
    } else if (wakeAt !== undefined && !this.#isWaking) {
      this.#isWaking = true
      void clock.sleep(millis(Math.max(1, wakeAt - clock.now()))).then(() => {
        this.#isWaking = false
        this.#pump()
      })
    }
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    let accepted = batch
    try {
      let committed: Promise<OperationResult> | undefined
      const turn = await this.#takeTurn()
      const began = this.#options.clock.now()
      try {
        accepted = await this.#withRoom(batch)
        if (accepted.length > 0) {
          const { pack, starts, end } = await this.#options.packs.append(accepted.map(({ body }) => body))
          const places = accepted.map(({ id, from }, at): ChunkPlace => ({ id, from, start: starts[at] ?? 0 }))
          // Asked for before anybody can leave the pack: it must not look empty to a deletion meanwhile.
          committed = this.#options.commit({ kind: 'placeChunks', pack, end, places })
        }
      } finally {
        turn.resolve(undefined)
        this.#batcher.finished()
        this.#pump()
      }
      const { taken = [] } = (await committed) ?? {}
      if (accepted.length > 0) this.#options.onCommit?.({ chunks: accepted.length, bytes: accepted.reduce((sum, { body }) => sum + body.length, 0), duration: millis(this.#options.clock.now() - began) })
      for (const [at, { resolve }] of accepted.entries()) resolve(taken[at] === true)
    } catch (error) {
      for (const { reject } of accepted) reject(toStorageFault(error))
    }
  }

  /** Only one at a time appends or leaves a pack. @returns To be resolved by who has the turn. */
  async #takeTurn(): Promise<PromiseWithResolvers<unknown>> {
    const before = this.#turn
    const mine = Promise.withResolvers()
    this.#turn = mine.promise
    await before
    return mine
  }

  /** Refuses new chunks that would leave less than the reserve. Moves may use it: they end in more room. */
  async #withRoom(batch: readonly Pending[]): Promise<readonly Pending[]> {
    const { bavail, bsize } = await statfs(this.#options.directory)
    const wanted = batch.reduce((sum, { body }) => sum + body.length, 0)
    if (bavail * bsize - wanted >= this.#options.reserveBytes) return batch
    const full = new RelayFault('storage_full', 'the disk is full')
    for (const { from, reject } of batch) if (from === null) reject(full)
    return batch.filter(({ from }) => from !== null)
  }
}
