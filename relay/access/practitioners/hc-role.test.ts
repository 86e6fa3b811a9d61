import { Sequence, Set as Asn1Set, Utf8String } from 'asn1js'
import { t } from 'tap'
import { actor, attribute, attributes, CardIssuer } from '../../../test/harness/hpki-card.ts'
import { mutatedDer } from '../../../test/harness/mutated-der.ts'
import { randomSource } from '../../../test/harness/mutation.ts'
import { RelayFault } from '../../wire/fault.ts'
import { HPKI, readProfessions } from './hc-role.ts'
import type { CardContents } from '../../../test/harness/hpki-card.ts'

const issuer = await CardIssuer.create()
const professionsOn = async (contents: CardContents): Promise<string[]> => [...readProfessions((await issuer.issue(contents)).der)]

t.test('a profession is read off a card, one that the list does not know is passed over', async t => {
  t.same(await professionsOn({}), ['medical_doctor'])
  t.same(await professionsOn({ attributes: attributes([actor('Medical Technologist'), actor('Medical Doctor'), actor('Medical Doctor'), actor('Director of Hospital')]) }), ['medical_technologist', 'medical_doctor'])
  t.same(await professionsOn({ attributes: attributes([actor('Dentist', '1.2.3'), actor('Pharmacist')]) }), ['pharmacist'])
  t.same(await professionsOn({ policies: ['1.2.3', HPKI.authenticationPolicy] }), ['medical_doctor'])
})

t.test('a certificate that states no profession, or is not for signing in, is refused', async t => {
  const twice = new Sequence({ value: Array.from({ length: 2 }, () => attribute([actor('Medical Doctor')])) }).toBER()
  const hostile: [string, CardContents][] = [
    ['no attributes', { attributes: null }],
    ['another attribute', { attributes: attributes([actor('Medical Doctor')], '1.2.3') }],
    ['another coding scheme', { attributes: attributes([actor('Medical Doctor', '1.2.3')]) }],
    ['an unknown profession', { attributes: attributes([actor('medical doctor ')]) }],
    ['the name of a property', { attributes: attributes([actor('constructor')]) }],
    ['a name with a NUL', { attributes: attributes([actor('Medical Doctor\u0000')]) }],
    ['no actor', { attributes: attributes([]) }],
    ['a text for an actor', { attributes: attributes([new Utf8String({ value: 'Medical Doctor' })]) }],
    ['too many actors', { attributes: attributes(Array.from({ length: 17 }, () => actor('Medical Doctor'))) }],
    ['two roles', { attributes: twice }],
    ['the policy for signing documents', { policies: ['1.2.392.100495.1.5.1.1.3.1'] }],
    ['no policy', { policies: [] }],
  ]
  for (const [name, contents] of hostile) await t.rejects(professionsOn(contents), { code: 'certificate_refused' }, name)
})

t.test('what nests without end, or is longer than a certificate, is refused', async t => {
  const deep = Buffer.concat(Array.from({ length: 4000 }, (_, depth) => Buffer.of(0x30, 0x82, ((4000 - depth) * 4 - 4) >> 8, ((4000 - depth) * 4 - 4) & 0xff)))
  t.throws(() => readProfessions(deep), { code: 'certificate_refused' })
  t.throws(() => readProfessions(new Uint8Array(20_000)), { code: 'certificate_refused' })
  t.throws(() => readProfessions(new Uint8Array()), { code: 'certificate_refused' })
  let nested = new Asn1Set({ value: [] })
  for (let depth = 0; depth < 200; depth++) nested = new Asn1Set({ value: [nested] })
  await t.rejects(professionsOn({ attributes: attributes([nested]) }), { code: 'certificate_refused' })
})

t.test('whatever is done to its bytes, a card is read or refused, and nothing else happens', async t => {
  const { der } = await issuer.issue()
  const next = randomSource(8)
  const codes = new Set<string>()
  for (let round = 0; round < 2000; round++) {
    try {
      readProfessions(mutatedDer(der, next))
      codes.add('read')
    } catch (error) {
      codes.add(error instanceof RelayFault ? error.code : 'a bug')
    }
  }
  t.same([...codes].sort(), ['certificate_refused', 'read'])
})
