import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { askCore } from '../../relay/access/core/core-request.ts'
import { holderOf } from '../../relay/access/consent/consent-signature.ts'
import { canonicalConsent, writeConsent } from '../../relay/access/consent/fhir-consent.ts'
import { TestCardAuthority } from '../../relay/access/consent/test-card.ts'
import { OperatorTokens } from '../../relay/access/operator-token.ts'
import { createRequest } from '../../relay/access/pki/certificate-request.ts'
import { CoreConfig } from '../../relay/core/core-config.ts'
import { PlatformCore } from '../../relay/core/platform-core.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { ConsentId, FacilityId, NodeId } from '../../relay/wire/access.ts'
import { ConsultationId } from '../../relay/wire/ids.ts'
import type { JWK } from 'jose'
import type { CoreCredentials } from '../../relay/access/core/core-client.ts'
import type { ConsentStatement } from '../../relay/access/consent/consent-statement.ts'
import type { ConsentTerms } from '../../relay/access/consent/fhir-consent.ts'
import type { Pseudonym } from '../../relay/access/consent/pseudonym.ts'
import type { TestCard } from '../../relay/access/consent/test-card.ts'
import type { RegistryContents } from '../../relay/access/registry/registry.ts'
import type { RegistryDraft } from '../../relay/access/registry/registry-ledger.ts'

export const [HOSPITAL, UNIVERSITY] = [FacilityId.parse('hospital'), FacilityId.parse('university')]
export const CASE = ConsultationId.parse('case-1')
const HOUR = 3_600_000

const facility = (id: FacilityId) => ({ id, displayName: id, status: 'active' as const })
const machine = (id: string, facilityId: FacilityId, kind: 'node' | 'agent') => ({ id: NodeId.parse(id), facilityId, kind, status: 'active' as const })

/** What a platform of two facilities looks like. */
export const TWO_FACILITIES: RegistryDraft = {
  facilities: [facility(HOSPITAL), facility(UNIVERSITY)],
  nodes: [machine('hospital-desk', HOSPITAL, 'agent'), machine('university-node', UNIVERSITY, 'node')],
  links: [], services: [], practitioners: [], revokedCertificates: [],
}

/** A platform's core with two facilities, a card authority, and whatever certificates are asked for. */
export class PlatformUnderTest implements AsyncDisposable {
  readonly core: PlatformCore
  readonly folder: string
  readonly cards: TestCardAuthority

  private constructor(core: PlatformCore, folder: string, cards: TestCardAuthority) {
    this.core = core
    this.folder = folder
    this.cards = cards
  }

  static async open(): Promise<PlatformUnderTest> {
    const folder = await mkdtemp(join(tmpdir(), 'kenkyo-platform-'))
    const cards = await TestCardAuthority.open()
    const cardCaFile = join(folder, 'cards.pem')
    await writeFile(cardCaFile, `-----BEGIN CERTIFICATE-----\n${Buffer.from(cards.certificate.toSchema(true).toBER()).toString('base64')}\n-----END CERTIFICATE-----\n`)
    const config = CoreConfig.parse({ stateDir: join(folder, 'core'), listenPort: 0, operatorPort: 0, cardCaFile, logLevel: 'silent' })
    const core = await PlatformCore.open(config, createLogger({ level: 'silent', program: 'core' }))
    const platform = new PlatformUnderTest(core, folder, cards)
    await platform.setRegistry(TWO_FACILITIES)
    return platform
  }

  get url(): string {
    return `https://localhost:${this.core.port}`
  }

  /** A certificate of the platform's CA. */
  async credentials(nodeId: string, facilityId: FacilityId, kind: 'node' | 'agent' = 'node'): Promise<CoreCredentials> {
    const { keyPem, requestPem } = await createRequest(nodeId)
    const { chainPem } = await this.core.ca.issue(requestPem, { facilityId, nodeId: NodeId.parse(nodeId), kind, dnsNames: ['localhost'] }, Date.now())
    return { cert: chainPem, key: keyPem, ca: this.core.ca.trustPem }
  }

  /** As an operator would. */
  async askOperator(method: string, path: string, body?: unknown): Promise<Response> {
    const key = JSON.parse(await readFile(join(this.folder, 'core', 'registry-key.json'), 'utf8')) as JWK
    const authorization = `Bearer ${await (await OperatorTokens.open(key)).issue()}`
    return fetch(`http://127.0.0.1:${this.core.operatorPort}${path}`, { method, headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  }

  async setRegistry(draft: RegistryDraft): Promise<RegistryContents> {
    const response = await this.askOperator('PUT', '/operator/registry', draft)
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
    return (await response.json()) as RegistryContents
  }

  /** Opens the case at the hospital, with the university taking part. */
  async openCase(desk: CoreCredentials): Promise<void> {
    const body = { consultationId: CASE, hostFacilityId: HOSPITAL, participants: [UNIVERSITY], purpose: 'consultation', validUntilMillis: Date.now() + HOUR }
    await askCore(this.url, desk, { method: 'PUT', path: `/core/consultations/${CASE}`, body })
  }

  /** A patient signs at the hospital's desk. */
  async consent(desk: CoreCredentials, card: TestCard, change: Partial<ConsentTerms> = {}): Promise<ConsentStatement> {
    const { patient } = (await askCore(this.url, desk, { method: 'POST', path: '/core/patients', body: { holder: holderOf(card.certificate) } })) as { patient: Pseudonym }
    const json = writeConsent({
      consentId: ConsentId.parse(randomUUID()), consultationId: CASE, patient, hostFacilityId: HOSPITAL, recipients: [HOSPITAL, UNIVERSITY], purposes: ['consultation'], scopes: ['live', 'slide'],
      signedAtMillis: Date.now(), validFromMillis: Date.now() - 1000, validUntilMillis: Date.now() + HOUR, ...change,
    })
    const body = { consent: JSON.stringify(json), signature: Buffer.from(await card.sign(canonicalConsent(json))).toString('base64') }
    return (await askCore(this.url, desk, { method: 'POST', path: '/core/consents', body })) as ConsentStatement
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.core[Symbol.asyncDispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}
