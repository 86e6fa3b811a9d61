import { t } from 'tap'
import { FacilityId, PractitionerId } from '../../../relay/wire/access.ts'
import { FAULT_CODES, RelayFault } from '../../../relay/wire/fault.ts'
import { LANGUAGES } from '../i18n.ts'
import { signInReason } from './sign-in-words.ts'
import { SignIn } from './sign-in.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { SignInAnswer, SignInWays } from '../../../relay/wire/sign-in.ts'
import type { KeptSignIn } from './kept-sign-in.ts'

const NOW = 1_800_000_000_000
const keyOf = (thumbprint: string) => ({ thumbprint, proof: () => Promise.resolve('proof'), followClock: () => undefined })
const KEY = keyOf('key')

/** A node that lets everybody in whom it has no reason to refuse. */
class FakeNode {
  ways: SignInWays | null = { cardOrigin: 'https://node.example:1', hasPasskeys: true, isDemonstration: false }
  nowMillis = NOW
  readonly refusals: FaultCode[] = []
  readonly tries: string[] = []

  standing() {
    return Promise.resolve({ mode: 'platform' as const, signIns: [], people: this.ways, isCoreReachable: true, nowMillis: this.nowMillis })
  }

  byPasskey = () => this.#answer('passkey')
  byNewPasskey = (_key: object, ticket: string) => this.#answer(`new passkey of ${ticket}`)
  byTicket = (_key: object, ticket: string) => this.#answer(`ticket ${ticket}`)
  byCard = (_key: object, origin: string) => this.#answer(`card at ${origin}`)

  async #answer(by: string): Promise<SignInAnswer> {
    this.tries.push(by)
    const refusal = this.refusals.shift()
    await Promise.resolve()
    if (refusal !== undefined) throw new RelayFault(refusal, '')
    return {
      token: `token ${this.tries.length}`, practitionerId: PractitionerId.parse('dr-a'), displayName: 'A', facilityId: FacilityId.parse('university'), facilityName: 'University',
      role: 'pathologist', methods: ['pop'], validUntilMillis: this.nowMillis + 600_000,
    }
  }
}

function open({ ticket = null, kept = [] }: { ticket?: string | null; kept?: KeptSignIn[] } = {}) {
  const node = new FakeNode()
  const keeper = { recall: () => kept[0], keep: (signIn: KeptSignIn) => void kept.splice(0, 1, signIn) }
  return { node, kept, signIn: new SignIn({ node, client: node, ticket, keeper }) }
}

/** Once the person is asked. */
async function asked({ question }: SignIn): Promise<void> {
  for (let turn = 0; turn < 100 && question.value?.isBusy !== false; turn++) await Promise.resolve()
  t.equal(question.value?.isBusy, false, 'the person is asked')
}

t.test('the person chooses, and is asked no more while the token lasts, also after a reload', async t => {
  const { node, signIn, kept } = open()
  const signing = signIn.source(KEY).signIn()
  await asked(signIn)
  t.match(signIn.question.value, { ways: { hasPasskeys: true }, fault: null })
  signIn.choose({ by: 'passkey' })
  t.equal(await signing, 'token 1')
  t.equal(signIn.question.value, null)
  t.match(signIn.person.value, { displayName: 'A' })
  t.equal(await signIn.source(KEY).signIn(), 'token 1')
  const reloaded = open({ kept })
  t.match(reloaded.signIn.person.value, { displayName: 'A' })
  t.equal(await reloaded.signIn.source(KEY).signIn(), 'token 1')
  t.same([node.tries, reloaded.node.tries], [['passkey'], []])
})

t.test('a token that runs out, is of another key or came with another ticket is not used', async t => {
  const { signIn, kept } = open({ ticket: 'one' })
  const signing = signIn.source(KEY).signIn()
  await asked(signIn)
  signIn.choose({ by: 'card' })
  await signing
  const later = open({ ticket: 'one', kept: [...kept] })
  later.node.nowMillis += 590_000
  for (const { signIn: again, key } of [{ signIn: later.signIn, key: KEY }, { signIn: open({ ticket: 'one', kept: [...kept] }).signIn, key: keyOf('another') }, { signIn: open({ ticket: 'two', kept: [...kept] }).signIn, key: KEY }]) {
    const refused = t.rejects(again.source(key).signIn(), { code: 'sign_in_required' })
    await asked(again)
    again.giveUp()
    await refused
  }
})

t.test('a refusal is said, and another way can be tried', async t => {
  const { node, signIn } = open()
  node.refusals.push('certificate_refused')
  const signing = signIn.source(KEY).signIn()
  await asked(signIn)
  signIn.choose({ by: 'card' })
  t.match(signIn.question.value, { isBusy: true })
  await asked(signIn)
  t.match(signIn.question.value, { fault: { code: 'certificate_refused' } })
  signIn.choose({ by: 'new_passkey', ticket: 'mine' })
  t.equal(await signing, 'token 2')
  t.same(node.tries, ['card at https://node.example:1', 'new passkey of mine'])
})

t.test('whoever gives up is not signed in, for the last reason', async t => {
  const { node, signIn } = open()
  node.refusals.push('access_revoked')
  const refused = t.rejects(signIn.source(KEY).signIn(), { code: 'access_revoked' })
  await asked(signIn)
  signIn.choose({ by: 'passkey' })
  await asked(signIn)
  signIn.giveUp()
  await refused
  t.equal(signIn.question.value, null)
})

t.test('on a node for demonstrations the ticket of the link suffices, until somebody signs out', async t => {
  const { node, signIn, kept } = open({ ticket: 'mine' })
  node.ways = { cardOrigin: null, hasPasskeys: false, isDemonstration: true }
  t.equal(await signIn.source(KEY).signIn(), 'token 1')
  t.same(node.tries, ['ticket mine'])
  signIn.signOut()
  t.equal(signIn.person.value, null)
  const reloaded = open({ ticket: 'mine', kept })
  reloaded.node.ways = node.ways
  const refused = t.rejects(reloaded.signIn.source(KEY).signIn(), { code: 'sign_in_required' })
  await asked(reloaded.signIn)
  reloaded.signIn.giveUp()
  await refused
  t.same(reloaded.node.tries, [], 'nobody is signed in unasked after that')
})

t.test('a ticket that a demonstration refuses is not tried again unasked', async t => {
  const { node, signIn } = open({ ticket: 'old' })
  node.ways = { cardOrigin: null, hasPasskeys: false, isDemonstration: true }
  node.refusals.push('token_refused')
  const signing = signIn.source(KEY).signIn()
  await asked(signIn)
  t.match(signIn.question.value, { fault: { code: 'token_refused' }, ticket: 'old' })
  signIn.choose({ by: 'ticket', ticket: 'new' })
  t.equal(await signing, 'token 2')
})

t.test('elsewhere a ticket in the link signs nobody in by itself', async t => {
  const { node, signIn } = open({ ticket: 'mine' })
  const refused = t.rejects(signIn.source(KEY).signIn())
  await asked(signIn)
  t.same(node.tries, [])
  signIn.giveUp()
  await refused
})

t.test('has a reason for every refusal, in both languages', async t => {
  for (const code of FAULT_CODES) for (const language of LANGUAGES) t.not(signInReason(language, code), '')
  t.not(signInReason('ja', 'certificate_refused'), signInReason('en', 'certificate_refused'))
})
