import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { MemberId } from '../../relay/wire/ids.ts'
import { PathName } from '../../relay/wire/link.ts'
import { LinkContracts } from './link-contracts.ts'

const member = MemberId.parse('scope-1')
const path = (name: string) => ({ name: PathName.parse(name) })
const nothingIsOpen = (): boolean => false

t.test('refuses a file with every mistake that is in it', async t => {
  const file = join(t.testdir(), 'links.json')
  const entry = (name: string, more: object = {}) => ({ name, members: [`of-${name}`], ...more })
  writeFileSync(file, JSON.stringify({ links: [entry('local'), entry('other'), entry('agent-7'), entry('probe-12'), entry('agents'), entry('a', { traffic: { tiles: { deadlineMillis: 50 } } })] }))
  try {
    LinkContracts.read(file)
    t.fail('it was taken')
  } catch (error) {
    t.match(error, { code: 'bad_config' })
    const lines = (error as Error).message.split('\n')
    for (const name of ['local', 'other', 'agent-7', 'probe-12']) t.ok(lines.some(line => line.includes(`link ${name}: the node gives this name itself`)), name)
    t.ok(lines.some(line => line.endsWith('link a: tiles has no deadline, only live has')))
    t.equal(lines.length, 5)
  }
})

t.test('paths that an agent proposes need names of their own', async t => {
  t.same(LinkContracts.none.find(member, 'microscope', [path('a'), path('b')], nothingIsOpen).paths, [path('a'), path('b')])
  t.throws(() => LinkContracts.none.find(member, 'microscope', [path('a'), path('a')], nothingIsOpen), { code: 'bad_message' })
})

t.test('a link that is open is not opened again; one without a contract gets the next name', async t => {
  const file = join(t.testdir(), 'links.json')
  writeFileSync(file, JSON.stringify({ links: [{ name: 'hospital-a', members: ['scope-1'] }] }))
  const contracts = LinkContracts.read(file)
  t.throws(() => contracts.find(member, 'microscope', [path('a')], name => name === 'hospital-a'), { code: 'conflict' })
  t.equal(contracts.find(MemberId.parse('another'), 'microscope', [path('a')], name => name === 'agent-1').name, 'agent-2')
  t.equal(contracts.find(member, 'viewer', [path('a')], nothingIsOpen).name, 'probe-1', 'who measures the line does not take it')
})
