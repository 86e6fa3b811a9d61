import { createHash } from 'node:crypto'
import { t } from 'tap'
import { consistencyProof, EMPTY_ROOT, inclusionProof, leafHash, TreeFrontier, verifyConsistency, verifyInclusion } from './merkle-tree.ts'

/** The recursive definition of RFC 9162 section 2.1.1, written down a second time. */
function definedRoot(entries: readonly Buffer[]): Buffer {
  const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
  const [only] = entries
  if (only === undefined) return sha256()
  if (entries.length === 1) return sha256(Buffer.of(0), only)
  let k = 1
  while (k * 2 < entries.length) k *= 2
  return sha256(Buffer.of(1), definedRoot(entries.slice(0, k)), definedRoot(entries.slice(k)))
}

/** Inputs of the test of Certificate Transparency's reference implementation, and the roots over the first 1 to 8 of them. */
const KNOWN = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(hex => Buffer.from(hex, 'hex'))
const KNOWN_ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

const frontierOf = (entries: readonly Buffer[]): TreeFrontier => {
  const tree = new TreeFrontier()
  for (const entry of entries) tree.append(leafHash(entry))
  return tree
}

t.test('has the roots of Certificate Transparency over its test inputs', async t => {
  t.same(new TreeFrontier().root(), EMPTY_ROOT)
  t.same(KNOWN.map((_, index) => frontierOf(KNOWN.slice(0, index + 1)).root().toString('hex')), KNOWN_ROOTS)
})

const SIZE = 40
const entries = Array.from({ length: SIZE }, (_, index) => Buffer.from(`entry ${index}`))
const root = async (from: number, to: number): Promise<Buffer> => definedRoot(entries.slice(from, to))

t.test('grows to the root of the definition, and goes on from its peaks', async t => {
  for (let size = 1; size <= SIZE; size++) {
    const tree = frontierOf(entries.slice(0, size))
    const half = new TreeFrontier(frontierOf(entries.slice(0, size >> 1)).peaks)
    for (const entry of entries.slice(size >> 1, size)) half.append(leafHash(entry))
    if (!tree.root().equals(definedRoot(entries.slice(0, size))) || !half.root().equals(tree.root())) t.fail(`size ${size}`)
  }
  t.pass('all sizes')
})

t.test('proves every leaf of every size, and no other leaf, place or size', async t => {
  let proofs = 0
  for (let size = 1; size <= SIZE; size++) {
    const whole = await root(0, size)
    for (let index = 0; index < size; index++, proofs++) {
      const proof = await inclusionProof(index, size, root)
      const leaf = leafHash(entries[index]!)
      if (!verifyInclusion(leaf, index, size, proof, whole)) t.fail(`leaf ${index} of ${size}`)
      if (verifyInclusion(leafHash(Buffer.from('other')), index, size, proof, whole)) t.fail(`another leaf ${index} of ${size}`)
      if (size > 1 && verifyInclusion(leaf, (index + 1) % size, size, proof, whole)) t.fail(`leaf ${index} of ${size} elsewhere`)
      if (proof.length > 0 && verifyInclusion(leaf, index, size, proof.slice(1), whole)) t.fail(`leaf ${index} of ${size} by less`)
      if (verifyInclusion(leaf, index, size, [...proof, whole], whole)) t.fail(`leaf ${index} of ${size} by more`)
    }
  }
  t.equal(proofs, (SIZE * (SIZE + 1)) / 2)
})

t.test('proves every earlier tree to be the beginning of every later one, and no other tree', async t => {
  let proofs = 0
  for (let size = 1; size <= SIZE; size++) {
    const whole = await root(0, size)
    for (let earlier = 1; earlier <= size; earlier++, proofs++) {
      const before = await root(0, earlier)
      const proof = await consistencyProof(earlier, size, root)
      const other = definedRoot([Buffer.from('other'), ...entries.slice(1, earlier)])
      if (!verifyConsistency(earlier, before, size, whole, proof)) t.fail(`${earlier} in ${size}`)
      if (verifyConsistency(earlier, other, size, whole, proof)) t.fail(`another ${earlier} in ${size}`)
      if (verifyConsistency(earlier, before, size, other, proof)) t.fail(`${earlier} in another ${size}`)
      if (verifyConsistency(earlier, before, size, whole, [...proof, whole])) t.fail(`${earlier} in ${size} by more`)
    }
  }
  t.equal(proofs, (SIZE * (SIZE + 1)) / 2)
})
