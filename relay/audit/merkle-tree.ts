import { createHash } from 'node:crypto'

const LEAF_PREFIX = Buffer.of(0)
const NODE_PREFIX = Buffer.of(1)

/** Bytes of a hash. */
export const HASH_BYTES = 32

/** The hash of one entry. @see RFC 9162 section 2.1.1 */
export const leafHash = (entry: Uint8Array): Buffer => createHash('sha256').update(LEAF_PREFIX).update(entry).digest()

/** The hash over two subtrees. @see RFC 9162 section 2.1.1 */
export const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => createHash('sha256').update(NODE_PREFIX).update(left).update(right).digest()

/** The root of a tree without leaves. @see RFC 9162 section 2.1.1 */
export const EMPTY_ROOT: Buffer = createHash('sha256').digest()

/** The largest power of two below `count`, which is 2 at least. */
export function splitOf(count: number): number {
  let split = 1
  while (split * 2 < count) split *= 2
  return split
}

/** A whole subtree: of `leaves`, a power of two, and its root. */
export interface Peak {
  readonly leaves: number
  readonly root: Buffer
}

/** A tree that grows, of which only the roots of its whole subtrees are kept: one for each 1 in the binary form of its size. */
export class TreeFrontier {
  #peaks: Peak[]
  #size: number

  constructor(peaks: readonly Peak[] = []) {
    this.#peaks = [...peaks]
    this.#size = peaks.reduce((sum, { leaves }) => sum + leaves, 0)
  }

  get size(): number {
    return this.#size
  }

  /** From the largest to the smallest. */
  get peaks(): readonly Peak[] {
    return this.#peaks
  }

  copy(): TreeFrontier {
    return new TreeFrontier(this.#peaks)
  }

  append(leaf: Buffer): void {
    let peak: Peak = { leaves: 1, root: leaf }
    for (let last = this.#peaks.at(-1); last?.leaves === peak.leaves; last = this.#peaks.at(-1)) {
      peak = { leaves: last.leaves * 2, root: nodeHash(last.root, peak.root) }
      this.#peaks.pop()
    }
    this.#peaks.push(peak)
    this.#size++
  }

  /** @see RFC 9162 section 2.1.1 */
  root(): Buffer {
    const [smallest, ...larger] = this.#peaks.map(({ root }) => root).reverse()
    return larger.reduce((right, left) => nodeHash(left, right), smallest ?? EMPTY_ROOT)
  }
}

/** The root over leaves `from` to `to`, the latter not included. */
export type RangeRoot = (from: number, to: number) => Promise<Buffer>

/**
 * Hashes that lead from a leaf to the root over `size` leaves, the lowest first.
 *
 * @see RFC 9162 section 2.1.3.1
 */
export function inclusionProof(index: number, size: number, root: RangeRoot): Promise<Buffer[]> {
  if (!(index >= 0 && index < size)) throw new RangeError('no such leaf')
  const path = async (from: number, to: number): Promise<Buffer[]> => {
    if (to - from === 1) return []
    const middle = from + splitOf(to - from)
    return index < middle ? [...(await path(from, middle)), await root(middle, to)] : [...(await path(middle, to)), await root(from, middle)]
  }
  return path(0, size)
}

/**
 * Hashes that show that the tree of `earlier` leaves is the beginning of the one of `size`.
 *
 * @see RFC 9162 section 2.1.4.1
 */
export function consistencyProof(earlier: number, size: number, root: RangeRoot): Promise<Buffer[]> {
  if (!(earlier >= 1 && earlier <= size)) throw new RangeError('no such earlier tree')
  const subproof = async (count: number, from: number, to: number, isWhole: boolean): Promise<Buffer[]> => {
    if (count === to - from) return isWhole ? [] : [await root(from, to)]
    const split = splitOf(to - from)
    return count <= split
      ? [...(await subproof(count, from, from + split, isWhole)), await root(from + split, to)]
      : [...(await subproof(count - split, from + split, to, false)), await root(from, from + split)]
  }
  return earlier === size ? Promise.resolve([]) : subproof(earlier, 0, size, true)
}

const areEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** Whether `leaf` is number `index` of the `size` that `root` is over. @see RFC 9162 section 2.1.3.2 */
export function verifyInclusion(leaf: Buffer, index: number, size: number, proof: readonly Buffer[], root: Uint8Array): boolean {
  if (index >= size) return false
  let [fn, sn, r] = [index, size - 1, leaf]
  for (const p of proof) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(p, r)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)]
    } else r = nodeHash(r, p)
    fn = Math.floor(fn / 2)
    sn = Math.floor(sn / 2)
  }
  return sn === 0 && areEqual(r, root)
}

/** Whether `earlierRoot` is over the first `earlier` of the `size` leaves that `root` is over. @see RFC 9162 section 2.1.4.2 */
export function verifyConsistency(earlier: number, earlierRoot: Buffer, size: number, root: Uint8Array, proof: readonly Buffer[]): boolean {
  if (earlier === size) return proof.length === 0 && areEqual(earlierRoot, root)
  if (earlier < 1 || earlier > size) return false
  const isPowerOfTwo = Number.isInteger(Math.log2(earlier))
  const [first, ...rest] = isPowerOfTwo ? [earlierRoot, ...proof] : proof
  if (first === undefined) return false
  let [fn, sn] = [earlier - 1, size - 1]
  while (fn % 2 === 1) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)]
  let [fr, sr] = [first, first]
  for (const c of rest) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      fr = nodeHash(c, fr)
      sr = nodeHash(c, sr)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)]
    } else sr = nodeHash(sr, c)
    fn = Math.floor(fn / 2)
    sn = Math.floor(sn / 2)
  }
  return sn === 0 && areEqual(fr, earlierRoot) && areEqual(sr, root)
}
