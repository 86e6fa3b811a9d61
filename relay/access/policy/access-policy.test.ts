import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { AccessPolicy, BUILT_IN_POLICIES } from './access-policy.ts'
import type { AccessFacts } from '../../wire/access.ts'

const schema = await readFile(join(BUILT_IN_POLICIES, 'kenkyo.cedarschema'), 'utf8')
const policy = await AccessPolicy.read()
const parse = (text: string): AccessPolicy => AccessPolicy.parse(new Map([['local.cedar', text]]), schema)
const reading: AccessFacts = {
  role: 'pathologist', action: 'view_live', purpose: 'intraoperative_diagnosis', consent: 'valid', link: 'sinet',
  headRoomBitsPerSecond: 1e9, isParticipant: true, isEmergency: false,
}

t.test('a decision names the policies it rests on', async t => {
  t.same(policy.decide(reading), { isAllowed: true, policies: ['pathologist-reads'], fault: null })
  t.same(policy.decide({ ...reading, consent: 'withdrawn' }), { isAllowed: false, policies: ['consent-withdrawn'], fault: 'consent_withdrawn' })
  t.same(policy.decide({ ...reading, action: 'publish_live' }), { isAllowed: false, policies: [], fault: 'policy_refused' })
})

t.test('of several refusals it tells the one that something can be done about', async t => {
  t.match(policy.decide({ ...reading, consent: 'none', link: 'unregistered' }), { policies: ['consent-missing', 'link-unregistered'], fault: 'consent_required' })
  t.match(policy.decide({ ...reading, headRoomBitsPerSecond: 0 }), { fault: 'admission_refused' })
})

t.test('an emergency stands in for consent and head room, and for nothing else', async t => {
  const emergency = { ...reading, isEmergency: true, consent: 'none', headRoomBitsPerSecond: 0 } as const
  t.equal(policy.decide(emergency).isAllowed, true)
  for (const changed of [{ consent: 'withdrawn' }, { link: 'unregistered' }, { isParticipant: false }, { action: 'record' }, { action: 'export_slide' }, { role: 'trainee', purpose: 'teaching' }] as const) {
    t.equal(policy.decide({ ...emergency, ...changed }).isAllowed, false, JSON.stringify(changed))
  }
})

t.test('the same facts are decided once, and others anew', async t => {
  t.equal(policy.decide({ ...reading }), policy.decide({ ...reading }))
  for (const changed of [{ consent: 'withdrawn' }, { role: 'trainee' }, { isParticipant: false }, { headRoomBitsPerSecond: 1 }] as const) t.equal(policy.decide({ ...reading, ...changed }).isAllowed, false, JSON.stringify(changed))
})

t.test('head room that is no number is none', async t => {
  for (const headRoomBitsPerSecond of [NaN, -1, -Infinity, Infinity]) t.equal(policy.decide({ ...reading, headRoomBitsPerSecond }).isAllowed, false)
  t.equal(policy.decide({ ...reading, headRoomBitsPerSecond: 2_000_000.7 }).isAllowed, true)
})

t.test('whatever cannot be asked is refused', async t => {
  for (const changed of [{ role: 'owner' }, { action: 'delete' }, { consent: 'perhaps' }, { isEmergency: 'yes' }]) {
    t.match(policy.decide({ ...reading, ...changed } as unknown as AccessFacts), { isAllowed: false, fault: 'policy_refused' }, JSON.stringify(changed))
  }
})

t.test('a policy that fails while it is evaluated permits nothing', async t => {
  const overflowing = parse('@id("all") permit (principal, action, resource); @id("sum") forbid (principal, action, resource) when { context.headRoomBitsPerSecond * 9223372036854775807 < 0 };')
  t.equal(overflowing.decide({ ...reading, headRoomBitsPerSecond: 2 }).isAllowed, false)
  t.equal(overflowing.decide({ ...reading, headRoomBitsPerSecond: 1 }).isAllowed, true)
})

t.test("a folder of an operator's own replaces the policies", async t => {
  const directory = t.testdir()
  await writeFile(join(directory, 'only.cedar'), '@id("only-pointing") permit (principal, action == Kenkyo::Action::"point", resource);')
  await writeFile(join(directory, 'notes.txt'), 'no policy')
  const own = await AccessPolicy.read(directory)
  t.same(own.policyIds, ['only-pointing'])
  t.equal(own.decide({ ...reading, action: 'point' }).isAllowed, true)
  t.equal(own.decide(reading).isAllowed, false)
  await mkdir(join(directory, 'empty'))
  await t.rejects(AccessPolicy.read(join(directory, 'empty')), { code: 'bad_config' })
  await t.rejects(AccessPolicy.read(join(directory, 'nowhere')), { code: 'bad_config' })
})

t.test('refuses policies with a mistake, and says where it is', async t => {
  const allow = '@id("a") permit (principal, action, resource)'
  const mistakes: [string, string, RegExp][] = [
    ['no Cedar', 'permit everything', /local\.cedar/],
    ['no @id', 'permit (principal, action, resource);', /local\.cedar/],
    ['two of one name', `${allow}; ${allow};`, /two policies with @id\("a"\)/],
    ['a strange name', '@id("../x") permit (principal, action, resource);', /local\.cedar/],
    ['a fault that is none', '@id("a") @fault("nonsense") forbid (principal, action, resource);', /local\.cedar/],
    ['an unknown action', '@id("a") permit (principal, action == Kenkyo::Action::"delete", resource);', /policy a/],
    ['an unknown role', '@id("a") permit (principal == Kenkyo::Role::"owner", action, resource);', /policy a/],
    ['a misspelt consent', `${allow} when { context.consent == Kenkyo::Consent::"vaild" };`, /policy a/],
    ['a fact that is none', `${allow} when { context.patientName == "x" };`, /policy a/],
    ['a comparison of unlike things', `${allow} when { context.isEmergency == 1 };`, /policy a/],
    ['a template', '@id("a") permit (principal == ?principal, action, resource);', /templates/],
    ['too long', `// ${'x'.repeat(300_000)}`, /longer/],
    ['nothing', '// nothing', /no policies/],
  ]
  for (const [name, text, message] of mistakes) t.throws(() => parse(text), { code: 'bad_config', message }, name)
})
