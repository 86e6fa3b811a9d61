import { createHash } from 'node:crypto'
import { NODE_PREFIX } from '../../wire/tile-proof.ts'
import type { ProofStep } from '../../wire/slide.ts'

const HASH_BYTES = 32
const NODE = Buffer.of(NODE_PREFIX)

/**
 * A Merkle tree that keeps its inner nodes, so that a proof costs no hashing. Joining neighbours layer by layer, with an
 * odd last one taken up as it is, makes the same tree as splitting at the largest power of two.
 *
 * @see RFC 9162 section 2.1
 */
export class LayeredTree {
  /** Hashes of each layer in a row, leaves first, the root alone in the last. */
  readonly #layers: Buffer[]

  /** @param leaves - Hashes of 32 bytes each, at least one: of leaves, or roots of trees below. */
  constructor(leaves: readonly Uint8Array[]) {
    if (leaves.length === 0) throw new Error('a tree has a leaf')
    let layer = Buffer.concat(leaves)
    this.#layers = [layer]
    while (layer.length > HASH_BYTES) {
      const next = Buffer.allocUnsafeSlow(Math.ceil(layer.length / (2 * HASH_BYTES)) * HASH_BYTES)
      for (let from = 0, to = 0; from < layer.length; from += 2 * HASH_BYTES, to += HASH_BYTES) {
        const pair = layer.subarray(from, from + 2 * HASH_BYTES)
        next.set(pair.length === HASH_BYTES ? pair : createHash('sha256').update(NODE).update(pair).digest(), to)
      }
      this.#layers.push((layer = next))
    }
  }

  get root(): Buffer {
    return this.#layers.at(-1) ?? Buffer.alloc(0)
  }

  /** What it keeps, in bytes. */
  get bytes(): number {
    return this.#layers.reduce((sum, { length }) => sum + length, 0)
  }

  /** Steps from a leaf up to the root; the hashes are views. */
  proof(leaf: number): ProofStep[] {
    const steps: ProofStep[] = []
    let index = leaf
    for (const layer of this.#layers.slice(0, -1)) {
      const sibling = (index ^ 1) * HASH_BYTES
      if (sibling < layer.length) steps.push({ side: index % 2 === 1 ? 'left' : 'right', hash: layer.subarray(sibling, sibling + HASH_BYTES) })
      index >>= 1
    }
    return steps
  }
}
