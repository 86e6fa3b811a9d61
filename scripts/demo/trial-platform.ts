import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { holderOf } from '../../relay/access/consent/consent-signature.ts'
import { canonicalConsent, writeConsent } from '../../relay/access/consent/fhir-consent.ts'
import { TestCardAuthority } from '../../relay/access/consent/test-card.ts'
import { askCore } from '../../relay/access/core/core-request.ts'
import { OperatorTokens } from '../../relay/access/operator-token.ts'
import { createRequest } from '../../relay/access/pki/certificate-request.ts'
import { CoreConfig } from '../../relay/core/core-config.ts'
import { PlatformCore } from '../../relay/core/platform-core.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ConsentId, NodeId } from '../../relay/wire/access.ts'
import type { JWK } from 'jose'
import type { CoreCredentials } from '../../relay/access/core/core-client.ts'
import type { ConsentStatement } from '../../relay/access/consent/consent-statement.ts'
import type { ConsentTerms } from '../../relay/access/consent/fhir-consent.ts'
import type { Pseudonym } from '../../relay/access/consent/pseudonym.ts'
import type { TestCard } from '../../relay/access/consent/test-card.ts'
import type { ConsultationEntry } from '../../relay/access/consultations/consultation-entry.ts'
import type { RegistryContents } from '../../relay/access/registry/registry.ts'
import type { RegistryDraft } from '../../relay/access/registry/registry-ledger.ts'
import type { FacilityId } from '../../relay/wire/access.ts'

/** What a patient signs, besides who they are and where. */
export type SignedTerms = Omit<ConsentTerms, 'consentId' | 'patient' | 'signedAtMillis'>

/**
 * A platform to try things on: a core on loopback in this process, with a CA, a registry and an authority
 * for patients' cards that nobody outside trusts. Everything is in one folder, which goes with it.
 */
export class TrialPlatform implements AsyncDisposable {
  readonly core: PlatformCore
  readonly folder: string
  readonly cards: TestCardAuthority

  protected constructor(core: PlatformCore, folder: string, cards: TestCardAuthority) {
    this.core = core
    this.folder = folder
    this.cards = cards
  }

  /** @param draft - Who belongs to it. */
  static async open(draft: RegistryDraft): Promise<TrialPlatform> {
    await using scope = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'kenkyo-platform-'))
    scope.defer(() => rm(folder, { recursive: true, force: true }))
    const cards = await TestCardAuthority.open()
    const cardCaFile = join(folder, 'cards.pem')
    await writeFile(cardCaFile, `-----BEGIN CERTIFICATE-----\n${Buffer.from(cards.certificate.toSchema(true).toBER()).toString('base64')}\n-----END CERTIFICATE-----\n`)
    const config = CoreConfig.parse({ stateDir: join(folder, 'core'), listenPort: 0, operatorPort: 0, cardCaFile, logLevel: 'silent' })
    const core = scope.use(await PlatformCore.open(config, createLogger({ level: 'silent', program: 'core' })))
    const platform = new TrialPlatform(core, folder, cards)
    await platform.setRegistry(draft)
    scope.move()
    return platform
  }

  get url(): string {
    return `https://localhost:${this.core.port}`
  }

  /** The file with the key that the registry is signed with. */
  get registryKeyFile(): string {
    return join(this.folder, 'core', 'registry-key.pub.json')
  }

  /** A certificate of the platform's CA, for `localhost`. */
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

  /** @throws {RelayFault} `bad_config` for a draft that the core refuses. */
  async setRegistry(draft: RegistryDraft): Promise<RegistryContents> {
    const response = await this.askOperator('PUT', '/operator/registry', draft)
    if (!response.ok) throw new RelayFault('bad_config', `the core refused the registry: ${response.status} ${await response.text()}`)
    return (await response.json()) as RegistryContents
  }

  /** A facility opens a case of its own. */
  async openConsultation(desk: CoreCredentials, entry: ConsultationEntry): Promise<void> {
    await askCore(this.url, desk, { method: 'PUT', path: `/core/consultations/${entry.consultationId}`, body: entry })
  }

  /** A patient signs with a card at a facility's desk. */
  async sign(desk: CoreCredentials, card: TestCard, terms: SignedTerms): Promise<ConsentStatement> {
    const { patient } = (await askCore(this.url, desk, { method: 'POST', path: '/core/patients', body: { holder: holderOf(card.certificate) } })) as { patient: Pseudonym }
    const json = writeConsent({ consentId: ConsentId.parse(randomUUID()), patient, signedAtMillis: Date.now(), ...terms })
    const body = { consent: JSON.stringify(json), signature: Buffer.from(await card.sign(canonicalConsent(json))).toString('base64') }
    return (await askCore(this.url, desk, { method: 'POST', path: '/core/consents', body })) as ConsentStatement
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.core[Symbol.asyncDispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}
