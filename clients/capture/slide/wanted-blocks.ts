import { blockKey } from './block-grid.ts'
import type { BlockAddress } from './block-grid.ts'

/** Decides which block is made next: of those that were wanted last, the first that is not under way. Does no I/O. */
export class WantedBlocks {
  readonly #atOnce: number
  #waiting: BlockAddress[] = []
  readonly #underWay = new Set<string>()

  /** @param atOnce - Blocks made at the same time. */
  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  /** Forgets what waits, and wants these. */
  replace(blocks: readonly BlockAddress[]): void {
    this.#waiting = blocks.filter(block => !this.#underWay.has(blockKey(block)))
  }

  /** The block to make now, which is then under way; undefined when there is none, or enough are. */
  next(): BlockAddress | undefined {
    if (this.#underWay.size >= this.#atOnce) return undefined
    const block = this.#waiting.shift()
    if (block !== undefined) this.#underWay.add(blockKey(block))
    return block
  }

  /** It was made, or cannot be. */
  done(block: BlockAddress): void {
    this.#underWay.delete(blockKey(block))
  }
}
