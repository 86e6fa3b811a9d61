import { t } from 'tap'
import { completeContract } from '../links/link-classes.ts'
import { contractContradictions, LinkName, PathName } from './link.ts'
import type { LinkContractInput } from '../links/link-classes.ts'

const mistakes = (input: Partial<LinkContractInput>): string[] => contractContradictions(completeContract({ name: LinkName.parse('a'), class: 'sinet', ...input }))

t.test('a contract as its class has it contradicts itself in nothing', async t => {
  t.same(mistakes({ traffic: { live: { deadlineMillis: 100 } } }), [])
})

t.test('names every contradiction', async t => {
  const twice = { name: PathName.parse('main') }
  t.same(mistakes({ paths: [twice, twice], traffic: { control: { deadlineMillis: 100 }, bulk: { deadlineMillis: 100, guaranteedShare: 1 } } }), [
    'link a: two paths share a name',
    'link a: the guaranteed shares add up to more than 1',
    'link a: control has no deadline, only live has',
    'link a: bulk has no deadline, only live has',
  ])
})
