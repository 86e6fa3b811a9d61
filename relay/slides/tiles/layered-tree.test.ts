import { createHash } from 'node:crypto'
import { t } from 'tap'
import { proofOf, rootOf } from '../manifest/merkle-tree.ts'
import { LayeredTree } from './layered-tree.ts'

t.test('root and proofs are those of RFC 9162, for every number of leaves', async t => {
  for (let count = 1; count <= 70; count++) {
    const leaves = Array.from({ length: count }, (_, index) => createHash('sha256').update(String(index)).digest())
    const tree = new LayeredTree(leaves)
    if (!tree.root.equals(rootOf(leaves))) t.fail(`another root of ${count} leaves`)
    for (let leaf = 0; leaf < count; leaf++) {
      const steps = tree.proof(leaf).map(({ side, hash }) => `${side} ${Buffer.from(hash).toString('hex')}`)
      const expected = proofOf(leaves, leaf).map(({ side, hash }) => `${side} ${Buffer.from(hash).toString('hex')}`)
      if (steps.join() !== expected.join()) t.fail(`another proof of leaf ${leaf} of ${count}`)
    }
  }
  t.throws(() => new LayeredTree([]))
})
