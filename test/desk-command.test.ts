import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { TestCard, TestCardAuthority } from '../relay/access/consent/test-card.ts'
import { consentCommand, consultationCommand } from '../relay/core/desk-command.ts'
import { HOSPITAL, PlatformUnderTest, UNIVERSITY } from './harness/platform-under-test.ts'
import type { Test } from 'tap'
import type { ConsentStatement } from '../relay/access/consent/consent-statement.ts'

/** Desks of two facilities at a running core, a patient's card, and what a clerk types. */
async function open(t: Test) {
  const platform = await PlatformUnderTest.open()
  t.teardown(() => platform[Symbol.asyncDispose]())
  const at = async (nodeId: string, facilityId: typeof HOSPITAL, kind: 'node' | 'agent'): Promise<string[]> => {
    const folder = join(platform.folder, nodeId)
    const { cert, key, ca } = await platform.credentials(nodeId, facilityId, kind)
    await mkdir(folder)
    await Promise.all([writeFile(join(folder, 'node.pem'), cert), writeFile(join(folder, 'node-key.pem'), key), writeFile(join(folder, 'platform-ca.pem'), ca)])
    return ['--folder', folder, '--core', platform.url]
  }
  const [hospital, university] = [await at('hospital-desk', HOSPITAL, 'agent'), await at('university-node', UNIVERSITY, 'node')]
  const card = join(platform.folder, 'hanako.pem')
  await writeFile(card, (await platform.cards.issue('試験 花子')).toPem())
  const kenkyo = async (...args: string[]): Promise<string> => {
    const printed: string[] = []
    const { restore } = t.capture(process.stdout, 'write', (text: unknown) => printed.push(String(text)))
    const [program = '', ...rest] = args
    const command = program === 'consent' ? consentCommand() : consultationCommand()
    try {
      await command.exitOverride().parseAsync(rest, { from: 'user' })
    } finally {
      restore()
    }
    return printed.join('')
  }
  const consents = async (place = hospital): Promise<ConsentStatement[]> => JSON.parse(await kenkyo('consent', 'list', '--json', ...place)) as ConsentStatement[]
  return { platform, hospital, university, card, kenkyo, consents }
}

const refusal = (code: string) => ({ name: 'RelayFault', code })

t.test('a clerk opens a case, a patient consents to it, and takes that back', async t => {
  const { hospital, university, card, kenkyo, consents } = await open(t)
  t.match(await kenkyo('consultation', 'open', 'case-1', '--with', 'university', ...hospital), /^case-1 open until \S+Z consultation of hospital with university\n$/)
  t.match(await kenkyo('consultation', 'list', ...university), /^case-1 open until/)
  const given = await kenkyo('consent', 'give', 'case-1', '--card', card, '--scopes', 'live,slide,recording', ...hospital)
  t.match(given, /^[0-9a-f-]{36} case-1 valid until \S+Z live,slide,recording for consultation to hospital,university\n$/)
  t.notMatch(given, /花子/)
  t.equal(await kenkyo('consent', 'list', 'case-2', ...hospital), '')
  t.equal(await kenkyo('consent', 'list', 'case-1', ...hospital), given)
  t.same(await consents(university), [], 'another facility is told of none')
  const [{ consentId } = { consentId: '' }] = await consents()
  t.match(await kenkyo('consent', 'withdraw', consentId, '--card', card, ...hospital), /case-1 withdrawn/)
  await kenkyo('consent', 'give', 'case-1', '--card', card, '--hours', '1', '--to', 'university', ...hospital)
  const second = (await consents()).find(each => each.withdrawnAtMillis === null)
  t.match(second, { recipients: ['university'] })
  t.match(await kenkyo('consent', 'withdraw', second?.consentId ?? '', ...hospital), /withdrawn/, 'at the desk, without the card')
  t.equal((await consents()).filter(({ withdrawnAtMillis }) => withdrawnAtMillis === null).length, 0)
})

t.test('a closed case is closed for everybody, and takes no consent of another facility', async t => {
  const { platform, hospital, university, card, kenkyo } = await open(t)
  await kenkyo('consultation', 'open', 'case-1', '--with', 'university', '--purpose', 'intraoperative_diagnosis', ...hospital)
  await t.rejects(kenkyo('consultation', 'close', 'case-1', ...university), refusal('not_found'))
  await t.rejects(kenkyo('consultation', 'open', 'case-1', ...university), refusal('policy_refused'))
  await t.rejects(kenkyo('consent', 'give', 'case-1', '--card', card, ...university), refusal('not_found'))
  t.equal(await kenkyo('consultation', 'close', 'case-1', ...hospital), 'case-1 is closed.\n')
  t.match(await kenkyo('consultation', 'list', ...university), /^case-1 closed since/)
  t.ok((platform.core.desk.store.consultations()[0]?.validUntilMillis ?? Infinity) <= Date.now())
})

t.test('what cannot be is refused by code, and quotes nothing', async t => {
  const { platform, hospital, card, kenkyo } = await open(t)
  await kenkyo('consultation', 'open', 'case-1', ...hospital)
  const stranger = join(platform.folder, 'stranger.pem')
  await writeFile(stranger, (await (await TestCardAuthority.open()).issue('他所')).toPem())
  await t.rejects(kenkyo('consent', 'give', 'case-1', '--card', stranger, ...hospital), refusal('consent_refused'), 'a card of another authority')
  await t.rejects(kenkyo('consent', 'give', 'case-1', '--card', join(platform.folder, 'none.pem'), ...hospital), refusal('bad_config'))
  await writeFile(join(platform.folder, 'broken.pem'), 'patient 試験 花子')
  await t.rejects(kenkyo('consent', 'give', 'case-1', '--card', join(platform.folder, 'broken.pem'), ...hospital), { ...refusal('bad_config'), message: /^(?!.*花子)/ })
  await t.rejects(kenkyo('consent', 'give', 'case-1', '--card', card, '--scopes', 'everything', ...hospital), refusal('bad_message'))
  await t.rejects(kenkyo('consent', 'withdraw', '00000000-0000-4000-8000-000000000000', ...hospital), refusal('not_found'))
  await t.rejects(kenkyo('consent', 'list', '--folder', platform.folder, '--core', platform.url), refusal('bad_config'), 'a folder of no machine')
  await t.rejects(kenkyo('consultation', 'open', 'case-1', '--with', 'nowhere', ...hospital), refusal('registry_refused'))
})

t.test('test cards are made by their own authority, which a core can take', async t => {
  const { platform, kenkyo } = await open(t)
  const [authority, out] = [join(platform.folder, 'authority.pem'), join(platform.folder, 'card.pem')]
  await kenkyo('consent', 'test-card', '--authority', authority, '--out', out)
  await kenkyo('consent', 'test-card', '--authority', authority, '--out', `${out}.2`)
  await t.rejects(kenkyo('consent', 'test-card', '--authority', authority, '--out', out), refusal('conflict'), 'a card is never overwritten')
  t.notMatch(await readFile(`${authority}.crt`, 'utf8'), /PRIVATE/)
  const [one, two] = [await TestCard.fromPem(await readFile(out, 'utf8')), await TestCard.fromPem(await readFile(`${out}.2`, 'utf8'))]
  t.same(one.certificate.issuer.toJSON(), two.certificate.issuer.toJSON())
  t.not(one.certificate.serialNumber.toString(), two.certificate.serialNumber.toString())
})
