/**
 * Brings damaged consents and signatures to the desk: `node bench/access/fuzz-consent.ts --count 100000`.
 * Anything but `consent_refused`, or an unharmed consent that is taken, ends it with exit code 1.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { ConsentDesk } from '../../relay/access/consent/consent-desk.ts'
import { ConsentSignatures, holderOf } from '../../relay/access/consent/consent-signature.ts'
import { canonicalConsent, writeConsent } from '../../relay/access/consent/fhir-consent.ts'
import { TestCardAuthority } from '../../relay/access/consent/test-card.ts'
import { ConsentId, FacilityId } from '../../relay/wire/access.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ConsultationId } from '../../relay/wire/ids.ts'

const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' } } })
const count = Number(values.count)
const DAY_MILLIS = 86_400_000
const [hostFacilityId, consultationId] = [FacilityId.parse('hospital'), ConsultationId.parse('case-1')]
const authority = await TestCardAuthority.open()
const card = await authority.issue('fuzz')
const taken: string[] = []
const desk = new ConsentDesk(
  new ConsentSignatures([authority.certificate]),
  {
    consent: () => undefined,
    signed: () => undefined,
    consultation: () => ({ consultationId, hostFacilityId, participants: [], purpose: 'consultation', validUntilMillis: Number.MAX_SAFE_INTEGER }),
    add: statement => taken.push(JSON.stringify(statement)),
    withdraw: () => {
      throw new Error('nothing is withdrawn here')
    },
  },
  randomBytes(32),
)
const json = writeConsent({
  consentId: ConsentId.parse('6f9619ff-8b86-4011-b42d-00cf4fc964ff'), consultationId, hostFacilityId,
  patient: desk.patientAt(holderOf(card.certificate), hostFacilityId),
  recipients: [hostFacilityId], purposes: ['consultation'], scopes: ['live'],
  signedAtMillis: Date.now(), validFromMillis: Date.now(), validUntilMillis: Date.now() + DAY_MILLIS,
})
const good = { consent: JSON.stringify(json), signature: await card.sign(canonicalConsent(json)) }

/** Bytes written over, cut off, doubled, or put in. */
function damage(bytes: Buffer): Buffer {
  const at = randomInt(bytes.length)
  switch (randomInt(4)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      return Buffer.concat([bytes.subarray(0, at), randomBytes(randomInt(1, 64)), bytes.subarray(at)])
    case 2:
      return Buffer.concat([bytes, bytes.subarray(at)])
    default: {
      const damaged = Buffer.from(bytes)
      for (let changes = randomInt(1, 8); changes > 0; changes--) damaged[randomInt(damaged.length)] = randomInt(256)
      return damaged
    }
  }
}

let [refused, slowestMillis] = [0, 0]
const startedAt = performance.now()
for (let round = 0; round < count; round++) {
  const [consent, signature] = [Buffer.from(good.consent), Buffer.from(good.signature)]
  const brought = round % 2 === 0 ? { consent: damage(consent).toString('utf8'), signature } : { consent: good.consent, signature: damage(signature) }
  const before = performance.now()
  try {
    await desk.take(brought, hostFacilityId)
  } catch (error) {
    if (!(error instanceof RelayFault) || error.code !== 'consent_refused') throw error
    refused++
  }
  slowestMillis = Math.max(slowestMillis, performance.now() - before)
}
const different = new Set(taken).size - (taken.length > 0 ? 1 : 0)
console.log(JSON.stringify({ inputs: count, refused, takenUnharmed: taken.length, takenDifferent: different, slowestMillis: Math.round(slowestMillis), seconds: Math.round((performance.now() - startedAt) / 1000) }))
process.exitCode = different === 0 ? 0 : 1
