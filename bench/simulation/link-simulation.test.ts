import { t } from 'tap'
import { judgeNetwork, violations } from './link-judge.ts'
import { describeNetwork, randomNetwork } from './random-network.ts'

/** As many as take some ten seconds. `npm run bench -- networks` runs more. */
const SEEDS = 200

t.test('links keep their promises on networks that nobody chose', async t => {
  const looked = new Set<string>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const verdict = judgeNetwork(randomNetwork(seed))
    for (const { invariant } of verdict.checks) looked.add(invariant)
    for (const { invariant, value, bound, evidence } of violations(verdict)) {
      t.fail(`${invariant}: ${value} instead of at most ${bound}, ${evidence}\n${describeNetwork(verdict.network)}`)
    }
  }
  t.ok(looked.size >= 12, [...looked].join(', '))
})

t.test('one seed makes one run', async t => {
  t.same(judgeNetwork(randomNetwork(7)), judgeNetwork(randomNetwork(7)))
  t.not(describeNetwork(randomNetwork(7)), describeNetwork(randomNetwork(8)))
})
