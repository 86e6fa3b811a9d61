import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { t } from 'tap'
import { PasskeyStore } from '../../relay/access/practitioners/passkey-store.ts'
import { SignInTickets } from '../../relay/access/practitioners/sign-in-tickets.ts'
import { PractitionerId } from '../../relay/wire/access.ts'
import { loadInvitationKey } from '../invitation-key.ts'
import type { Test } from 'tap'

const KENKYO = join(import.meta.dirname, '../../scripts/kenkyo.ts')

function open(t: Test) {
  const folder = t.testdir({ state: {} })
  const stateDir = join(folder, 'state')
  const run = async (...args: string[]): Promise<string> => (await promisify(execFile)(process.execPath, [KENKYO, 'practitioner', ...args, '--state-dir', stateDir], { timeout: 60_000 })).stdout.trim()
  return { stateDir, run }
}

t.test('prints a ticket that the node of that folder reads, by itself or in a link', async t => {
  const { stateDir, run } = open(t)
  const [ticket, link] = [await run('ticket', 'dr-a', '--hours', '1'), await run('ticket', 'dr-a', '--link', 'https://node.example/#invitation=a.b.c&purpose=teaching')]
  const tickets = await SignInTickets.open(await loadInvitationKey(stateDir))
  const { practitionerId, validUntilMillis } = await tickets.read(ticket)
  t.equal(practitionerId, 'dr-a')
  t.ok(Math.abs(validUntilMillis - Date.now() - 3_600_000) < 60_000)
  const { origin, search, hash } = new URL(link)
  t.same([origin, search], ['https://node.example', ''], 'no server is sent it')
  const fields = new URLSearchParams(hash.slice(1))
  t.match(Object.fromEntries(fields), { invitation: 'a.b.c', purpose: 'teaching' })
  t.equal((await tickets.read(fields.get('ticket') ?? '')).practitionerId, 'dr-a')
  for (const bad of [['../x'], ['dr-a', '--hours', '400'], ['dr-a', '--link', 'nowhere']]) await t.rejects(run('ticket', ...bad), { message: /kenkyo: bad_config: / }, bad.join(' '))
})

t.test('lists whose passkeys there are, and takes them all from somebody', async t => {
  const { stateDir, run } = open(t)
  const [dr, other] = [PractitionerId.parse('dr-a'), PractitionerId.parse('dr-b')]
  {
    using store = new PasskeyStore(stateDir)
    const add = (practitionerId: PractitionerId, credentialId: string): void => store.add({ credentialId, practitionerId, publicKey: new Uint8Array(3), counter: 0, transports: [], madeAtMillis: 0 }, { ticketId: credentialId, practitionerId, validUntilMillis: 1 })
    for (const id of ['one', 'two']) add(dr, id)
    add(other, 'three')
  }
  t.equal((await run('passkeys')).split('\n').length, 3)
  t.match(await run('forget', 'dr-a'), /^2 /)
  t.match(await run('passkeys'), /^dr-b\tthree\t1970-01-01T00:00:00.000Z\tnever$/)
})
