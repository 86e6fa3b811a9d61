import { t } from 'tap'
import { RelayFault } from '../../../relay/wire/fault.ts'
import { millis } from '../../../relay/wire/units.ts'
import { GrantSession } from './grant-session.ts'
import type { FaultCode } from '../../../relay/wire/fault.ts'
import type { GrantRequest } from '../../../relay/wire/grant.ts'
import type { HeldGrant } from './grant-session.ts'
import type { Granted, ProofKey } from './grant-client.ts'
import type { Test } from 'tap'
import type { z } from 'zod'

const KEY: ProofKey = { thumbprint: 'key', proof: (method, url, token) => Promise.resolve([method, new URL(url).pathname, token].join(' ')), followClock: () => undefined }

/** A node in memory that grants, renews and serves what it is told to. */
class FakeNode {
  mode: 'alone' | 'platform' = 'platform'
  /** Tokens that count. */
  readonly good = new Set<string>()
  readonly asked: z.input<typeof GrantRequest>[] = []
  readonly served: string[] = []
  refusal: FaultCode | undefined
  renewals = 0
  #tokens = 0

  standing() {
    return Promise.resolve({ mode: this.mode, signIns: [], people: null, isCoreReachable: true, nowMillis: 0 })
  }

  async ask(_key: ProofKey, signInToken: string, asked: z.input<typeof GrantRequest>): Promise<Granted> {
    this.asked.push(asked)
    await Promise.resolve()
    if (signInToken !== 'signed in') throw new RelayFault('sign_in_required', '')
    if (this.refusal !== undefined) throw new RelayFault(this.refusal, '')
    return this.#grant(asked.isEmergency === true)
  }

  async renew(_key: ProofKey, token: string): Promise<Granted> {
    this.renewals++
    await Promise.resolve()
    if (!this.good.delete(token)) throw new RelayFault('token_refused', '')
    return this.#grant(false)
  }

  fetchAs(_key: ProofKey, token: string, path: string): Promise<Response> {
    if (!this.good.has(token)) return Promise.reject(new RelayFault('token_refused', ''))
    this.served.push(`${token} ${path}`)
    return Promise.resolve(new Response())
  }

  fetchInvited(invitation: string, path: string): Promise<Response> {
    this.served.push(`${invitation} ${path}`)
    return Promise.resolve(new Response())
  }

  url(path: string): string {
    return `https://node.example${path}`
  }

  #grant(isEmergency: boolean): Granted {
    const token = `grant ${++this.#tokens}`
    this.good.add(token)
    return { token, actions: ['view_live'], lifetime: millis(300_000), validUntilMillis: 300_000, emergencyUntilMillis: isEmergency ? 3_600_000 : null }
  }
}

function open(t: Test, node = new FakeNode(), kept?: { token: string }) {
  const granted: HeldGrant[] = []
  const memory: { token: string }[] = kept === undefined ? [] : [kept]
  let signIns = 0
  let purposes = 0
  const session = new GrantSession({
    client: node,
    invitation: 'invitation',
    openKey: () => Promise.resolve(KEY),
    signIn: () => ({ signIn: () => Promise.resolve((signIns++, 'signed in')) }),
    askPurpose: () => Promise.resolve((purposes++, 'consultation')),
    onGranted: grant => granted.push(grant),
    keeper: {
      recall: () => (memory[0] === undefined ? undefined : { invitation: 'invitation', purpose: 'teaching', token: memory[0].token }),
      keep: ({ token }) => void memory.splice(0, 1, { token }),
      forget: () => void memory.splice(0),
    },
  })
  t.teardown(() => session.close())
  return { node, session, granted, memory, count: () => ({ signIns, purposes }) }
}

const fault = (code: FaultCode): RelayFault => new RelayFault(code, '')

t.test('on a node that stands alone the invitation is what lets in, and nobody is asked anything', async t => {
  const node = new FakeNode()
  node.mode = 'alone'
  const { session, granted, count } = open(t, node)
  t.same(await session.entry(), { invitation: 'invitation' })
  await session.authorizedFetch('/stills/1/png')
  t.same(node.served, ['invitation /stills/1/png'])
  t.same([granted, node.asked, count()], [[], [], { signIns: 0, purposes: 0 }])
  session.entered()
  t.equal(session.refused(fault('invitation_expired')), 'give_up')
  await t.rejects(session.authorizedFetch('/stills/1/png'), { code: 'invitation_expired' })
})

t.test('on a platform one grant is asked for, whoever needs it first, and proven for every use', async t => {
  const { node, session, granted, memory, count } = open(t)
  const [entry] = await Promise.all([session.entry(), session.authorizedFetch('/slides/1'), session.authorizedFetch('/slides/2')])
  t.same(entry, { invitation: 'grant 1', proof: 'GET /signaling grant 1' })
  t.same(node.asked, [{ invitation: 'invitation', purpose: 'consultation' }])
  t.same(node.served, ['grant 1 /slides/1', 'grant 1 /slides/2'])
  t.match(granted, [{ actions: ['view_live'], purpose: 'consultation', emergencyUntilMillis: null }])
  t.same([memory, count()], [[{ token: 'grant 1' }], { signIns: 1, purposes: 1 }])
})

t.test('what was asked with a token that ran out is asked again with what was renewed, and no third time', async t => {
  const { node, session } = open(t)
  await session.entry()
  // The node has given another one since, to the same grant.
  node.good.delete('grant 1')
  await session.authorizedFetch('/slides/1')
  t.same(node.served, ['grant 2 /slides/1'])
  t.equal(node.renewals, 1)
  node.good.clear()
  node.refusal = 'access_revoked'
  await t.rejects(session.authorizedFetch('/slides/1'), { code: 'access_revoked' })
})

t.test('after a withdrawal it is asked once what is left', async t => {
  const { node, session, memory } = open(t)
  await session.entry()
  session.entered()
  t.equal(session.refused(fault('consent_withdrawn')), 'ask_anew')
  t.same(memory, [], 'a reload begins anew, too')
  t.equal((await session.entry()).invitation, 'grant 2')
  t.equal(session.refused(fault('consent_withdrawn')), 'give_up', 'it did not even let in')
  t.equal(node.asked.length, 2)
  await t.rejects(session.authorizedFetch('/slides/1'), { code: 'consent_withdrawn' })
  t.equal(node.asked.length, 2, 'and nothing is asked in the background')
})

t.test('a refusal of what is left is final', async t => {
  const { node, session } = open(t)
  await session.entry()
  session.entered()
  t.equal(session.refused(fault('consent_withdrawn')), 'ask_anew')
  node.refusal = 'consent_withdrawn'
  await t.rejects(session.entry(), { code: 'consent_withdrawn' })
  t.equal(session.refused(fault('consent_withdrawn')), 'give_up')
})

t.test('a connection that is lost is opened again with the same grant', async t => {
  const { node, session } = open(t)
  await session.entry()
  session.entered()
  t.equal(session.refused(fault('unavailable')), 'try_again')
  t.equal((await session.entry()).invitation, 'grant 1')
  t.equal(node.asked.length, 1)
})

t.test('a page that is reloaded goes on with its grant, and nobody signs in again', async t => {
  const node = new FakeNode()
  node.good.add('kept')
  const { session, granted, count } = open(t, node, { token: 'kept' })
  t.equal((await session.entry()).invitation, 'grant 1')
  t.match(granted, [{ purpose: 'teaching' }])
  t.same(count(), { signIns: 0, purposes: 0 })
})

t.test('a page that was closed for too long asks anew', async t => {
  const { node, session, count } = open(t, new FakeNode(), { token: 'gone' })
  t.equal((await session.entry()).invitation, 'grant 1')
  t.equal(node.asked.length, 1)
  t.same(count(), { signIns: 1, purposes: 1 })
})

t.test('emergency access is asked for with its reason, and over when it was ended', async t => {
  const { node, session, granted } = open(t)
  node.refusal = 'consent_required'
  await t.rejects(session.entry(), { code: 'consent_required' })
  t.equal(session.refused(fault('consent_required')), 'give_up')
  node.refusal = undefined
  await session.breakGlass('frozen_section')
  t.match(node.asked.at(-1), { isEmergency: true, emergencyReason: 'frozen_section' })
  t.equal(granted.at(-1)?.emergencyUntilMillis, 3_600_000)
  t.equal((await session.entry()).invitation, 'grant 1')
  session.entered()
  t.equal(session.refused(fault('access_revoked')), 'ask_anew')
  await session.entry()
  t.equal(node.asked.at(-1)?.isEmergency, undefined, 'whoever still needs it says so again')
})

t.test('emergency access that is refused leaves what there was', async t => {
  const { node, session } = open(t)
  await session.entry()
  node.refusal = 'policy_refused'
  await t.rejects(session.breakGlass('danger_to_life'), { code: 'policy_refused' })
  t.equal((await session.entry()).invitation, 'grant 1')
})
