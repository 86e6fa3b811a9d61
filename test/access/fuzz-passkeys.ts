/**
 * Brings damaged answers of authenticators to the node's reader of them: `node test/access/fuzz-passkeys.ts --count
 * 100000 --seed 1`. An answer to an enrolment may still be one: nobody signs what an authenticator says of itself. An
 * answer to a sign-in is one only while what was signed is as it was: bytes behind a signature are read over. Whatever is refused is so by a code, and anything else ends it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PasskeyStore } from '../../relay/access/practitioners/passkey-store.ts'
import { Passkeys } from '../../relay/access/practitioners/passkeys.ts'
import { FacilityId, PractitionerId } from '../../relay/wire/access.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { AssertionBody, EnrolmentBody } from '../../relay/wire/sign-in.ts'
import { mutatedDer } from '../harness/mutated-der.ts'
import { randomSource } from '../harness/mutation.ts'
import { SoftAuthenticator } from '../harness/soft-authenticator.ts'

const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } } })
const [count, next] = [Number(values.count), randomSource(Number(values.seed))]
const answering = { origin: 'https://node.example', rpId: 'node.example' }
const doctor = { id: PractitionerId.parse('dr-a'), facilityId: FacilityId.parse('university'), role: 'pathologist' as const, displayName: 'A', status: 'active' as const }

const folder = await mkdtemp(join(tmpdir(), 'kenkyo-fuzz-passkeys-'))
using store = new PasskeyStore(folder)
const passkeys = new Passkeys({ store, registry: { practitioner: () => doctor }, origin: () => answering.origin })
const newTicket = () => ({ ticketId: crypto.randomUUID(), practitionerId: doctor.id, validUntilMillis: Date.now() + 600_000 })
const enrolment = async () => new SoftAuthenticator().create({ ...answering, challenge: (await passkeys.enrolmentOptions(newTicket())).challenge })

/** The same with one of its fields damaged. */
function damaged<Response extends Record<string, unknown>>(response: Response, fields: readonly (keyof Response & string)[]): Response {
  const field = fields[Math.floor(next() * fields.length)] ?? fields[0] ?? ''
  return { ...response, [field]: Buffer.from(mutatedDer(Buffer.from(String(response[field]), 'base64url'), next)).toString('base64url') }
}

/** @returns Whether it was taken. @throws Whatever is no refusal by a code. */
async function isTaken(bring: () => Promise<unknown>): Promise<boolean> {
  try {
    await bring()
    return true
  } catch (error) {
    if (!(error instanceof RelayFault) || error.code !== 'token_refused') throw error
    return false
  }
}

let [taken, malformed, refused] = [0, 0, 0]
let good = await enrolment()
for (let round = 0; round < count; round++) {
  if (round % 20_000 === 0) good = await enrolment()
  const body = EnrolmentBody.safeParse({ ticket: 'x', credential: { ...good, response: damaged(good.response, ['clientDataJSON', 'attestationObject']) } })
  if (!body.success) malformed++
  else if (await isTaken(() => passkeys.enrol(newTicket(), body.data.credential))) {
    taken++
    store.forget(doctor.id)
    good = await enrolment()
  } else refused++
}
console.log(JSON.stringify({ parser: 'enrolment', inputs: count, taken, malformed, refused }))

store.forget(doctor.id)
const authenticator = new SoftAuthenticator()
await passkeys.enrol(newTicket(), authenticator.create({ ...answering, challenge: (await passkeys.enrolmentOptions(newTicket())).challenge }))
;[malformed, refused] = [0, 0]
let counter = 1
const sign = async () => authenticator.get({ ...answering, challenge: (await passkeys.options()).challenge, counter: ++counter })
let answer = await sign()
taken = 0
for (let round = 0; round < count; round++) {
  if (round % 20_000 === 0) answer = await sign()
  const response = damaged(answer.response, ['clientDataJSON', 'authenticatorData', 'signature'])
  const body = AssertionBody.safeParse({ credential: { ...answer, response } })
  if (!body.success) malformed++
  else if (await isTaken(() => passkeys.assert(body.data.credential))) {
    const { clientDataJSON, authenticatorData } = answer.response
    if (response.clientDataJSON !== clientDataJSON || response.authenticatorData !== authenticatorData) throw new Error(`round ${round}: a damaged answer signed in: ${JSON.stringify(response)}`)
    taken++
    answer = await sign()
  } else refused++
}
if (!(await isTaken(() => passkeys.assert(answer)))) throw new Error('the undamaged answer is refused')
console.log(JSON.stringify({ parser: 'assertion', inputs: count, taken, malformed, refused }))
await rm(folder, { recursive: true })
