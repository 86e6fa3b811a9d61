import { createHash } from 'node:crypto'
import { leafHeader, NODE_PREFIX } from '../../wire/tile-proof.ts'
import type { ProofStep } from '../../wire/slide.ts'
import type { TilePosition } from '../../wire/tile-order.ts'

const NODE = Buffer.of(NODE_PREFIX)

/** The leaf of one tile: of its place and its stored bytes. */
export const leafHash = (level: number, position: TilePosition, tile: Uint8Array): Buffer => createHash('sha256').update(leafHeader(level, position)).update(tile).digest()

const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => createHash('sha256').update(NODE).update(left).update(right).digest()

/** The largest power of two below. */
function splitOf(count: number): number {
  let split = 1
  while (split * 2 < count) split *= 2
  return split
}

/**
 * The root over hashes that are leaves, or roots of trees below. Not for none.
 *
 * @see RFC 9162 section 2.1.1
 */
export function rootOf(hashes: readonly Uint8Array[]): Uint8Array {
  const [only] = hashes
  if (only === undefined) throw new Error('a tree has a leaf')
  if (hashes.length === 1) return only
  const split = splitOf(hashes.length)
  return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)))
}

/** Steps from one hash up to the root over all. @see RFC 9162 section 2.1.3.1 */
export function proofOf(hashes: readonly Uint8Array[], index: number): ProofStep[] {
  if (hashes.length <= 1) return []
  const split = splitOf(hashes.length)
  const [left, right] = [hashes.slice(0, split), hashes.slice(split)]
  return index < split
    ? [...proofOf(left, index), { side: 'right', hash: rootOf(right) }]
    : [...proofOf(right, index - split), { side: 'left', hash: rootOf(left) }]
}
