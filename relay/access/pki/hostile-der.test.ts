import { t } from 'tap'
import { certificateParsers, fuzzParser } from '../../../test/harness/fuzzed-parsers.ts'
import { randomSource } from '../../../test/harness/mutation.ts'

t.test('takes or refuses whatever is brought in place of a certificate or request, by the coded fault alone', async t => {
  for (const parser of await certificateParsers()) {
    const { inputs, taken, refused } = await fuzzParser(parser, 1000, randomSource(7))
    t.equal(taken + refused, inputs, parser.name)
    t.ok(refused > inputs / 10, `${parser.name}: damage is found`)
  }
})
