import { once } from 'node:events'
import { request as askPlainly } from 'node:http'
import { Agent, request as askSecurely } from 'node:https'
import { writeFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { join } from 'node:path'
import { InvitationIssuer } from '../../relay/access/invitation.ts'
import { askCore } from '../../relay/access/core/core-request.ts'
import { FacilityId, NodeId, PractitionerId } from '../../relay/wire/access.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { GrantAnswer } from '../../relay/wire/grant.ts'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { LinkName } from '../../relay/wire/link.ts'
import { loadInvitationKey } from '../../sfu/invitation-key.ts'
import { TrialPlatform } from '../../scripts/demo/trial-platform.ts'
import { findFreePorts } from '../free-ports.ts'
import { LocalNode } from '../local-node.ts'
import { SignedInPerson } from './signed-in-person.ts'
import type { JWK } from 'jose'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { CoreCredentials } from '../../relay/access/core/core-client.ts'
import type { ConsentStatement } from '../../relay/access/consent/consent-statement.ts'
import type { TestCard } from '../../relay/access/consent/test-card.ts'
import type { Practitioner } from '../../relay/access/registry/registry.ts'
import type { RegistryDraft } from '../../relay/access/registry/registry-ledger.ts'
import type { Role } from '../../relay/wire/signaling.ts'

/** The consultation in which everything flows, and the one for the core's silence. */
export const [CASE, QUIET_CASE] = [ConsultationId.parse('case-1'), ConsultationId.parse('case-2')]
const [HOSPITAL, UNIVERSITY] = [FacilityId.parse('hospital'), FacilityId.parse('university')]
const HOUR = 3_600_000
const ANSWER_DEADLINE_MILLIS = 15_000
/** How often it is asked again until the node knows a consent. */
const AGAIN_MILLIS = 20
const KNOWN_WITHIN_MILLIS = 10_000

const facility = (id: FacilityId, status: 'active' | 'suspended' = 'active') => ({ id, displayName: id, status })
const machine = (id: string, kind: 'node' | 'agent') => ({ id: NodeId.parse(id), facilityId: HOSPITAL, kind, status: 'active' as const })
const doctor = (id: string): Practitioner => ({ id: PractitionerId.parse(id), facilityId: UNIVERSITY, role: 'pathologist', displayName: id, status: 'active' })

/** A hospital with a node, a microscope and a scanner; a university with two doctors; a link between them. */
const MEMBERS: RegistryDraft = {
  facilities: [facility(HOSPITAL), facility(UNIVERSITY)],
  nodes: [machine('hospital-node', 'node'), machine('second-node', 'node'), machine('scope', 'agent'), machine('scanner', 'agent'), machine('desk', 'agent')],
  links: [{ name: LinkName.parse('between'), class: 'sinet', between: [HOSPITAL, UNIVERSITY], bitsPerSecond: 1_000_000_000, status: 'active' }],
  services: [], practitioners: [doctor('doctor'), doctor('colleague')], revokedCertificates: [],
}

/** What came back of one request. */
export interface NodeReply {
  readonly status: number
  readonly body: Buffer
}

/** A machine with a certificate, and what it was granted. */
export interface GrantedMachine {
  readonly credentials: CoreCredentials
  readonly token: string
  readonly agent: Agent
}

/** Somebody who signed in, and what they were granted. */
export interface GrantedPerson {
  readonly person: SignedInPerson
  readonly token: string
}

/** A platform on this machine with a core, nodes, and members who ask for grants. */
export class WithdrawalWorld implements AsyncDisposable {
  readonly platform: TrialPlatform
  readonly #desk: CoreCredentials
  readonly #card: TestCard
  readonly #scope: AsyncDisposableStack

  private constructor(platform: TrialPlatform, desk: CoreCredentials, card: TestCard, scope: AsyncDisposableStack) {
    this.platform = platform
    this.#desk = desk
    this.#card = card
    this.#scope = scope
  }

  /** @throws {RelayFault} when any of it does not come about. */
  static async open(): Promise<WithdrawalWorld> {
    await using scope = new AsyncDisposableStack()
    const platform = scope.use(await TrialPlatform.open(MEMBERS))
    const desk = await platform.credentials('desk', HOSPITAL, 'agent')
    for (const consultationId of [CASE, QUIET_CASE]) {
      await platform.openConsultation(desk, { consultationId, hostFacilityId: HOSPITAL, participants: [UNIVERSITY], purpose: 'consultation', validUntilMillis: Date.now() + 6 * HOUR })
    }
    return new WithdrawalWorld(platform, desk, await platform.cards.issue('試験 花子'), scope.move())
  }

  /** A node of the hospital in a process of its own. @param coreUrl - Where it reaches the core. @param consultationId - What it invites to. */
  async openNode(name: 'hospital-node' | 'second-node', coreUrl: string, consultationId: ConsultationId, signal: AbortSignal): Promise<PlatformNode> {
    const credentials = await this.platform.credentials(name, HOSPITAL)
    const file = (ending: string): string => join(this.platform.folder, `${name}.${ending}`)
    await Promise.all([writeFile(file('pem'), credentials.cert), writeFile(file('key'), credentials.key), writeFile(file('ca'), credentials.ca)])
    const membersPort = await findFreePorts(1)
    const settings = [
      '--core-url', coreUrl, '--node-cert-file', file('pem'), '--node-key-file', file('key'), '--platform-ca-file', file('ca'),
      '--registry-key-file', this.platform.registryKeyFile, '--members-listen-port', String(membersPort),
    ]
    const node = this.#scope.use(await LocalNode.open({ workers: 1, statsIntervalSeconds: 1, signal, settings }))
    return PlatformNode.open(node, membersPort, consultationId)
  }

  /** The patient signs for a consultation. @param validForMillis - From now. */
  sign(consultationId: ConsultationId, validForMillis = HOUR, scopes: ConsentStatement['scopes'] = ['live', 'slide', 'recording']): Promise<ConsentStatement> {
    const now = Date.now()
    return this.platform.sign(this.#desk, this.#card, {
      consultationId, hostFacilityId: HOSPITAL, recipients: [HOSPITAL, UNIVERSITY], purposes: ['consultation'], scopes,
      validFromMillis: now - 1000, validUntilMillis: now + validForMillis,
    })
  }

  /** The patient withdraws, at the desk. */
  async withdraw({ consentId }: ConsentStatement): Promise<void> {
    await askCore(this.platform.url, this.#desk, { method: 'POST', path: `/core/consents/${consentId}/withdrawal` })
  }

  /** The operator revokes the certificates of the microscope and the scanner. */
  async revokeMachines(): Promise<void> {
    for (const name of ['scope', 'scanner']) {
      const { ok, status } = await this.platform.askOperator('POST', `/operator/machines/${name}/revoke`, {})
      if (!ok) throw new RelayFault('unavailable', `the core answered ${status}`)
    }
  }

  /** The operator suspends the doctors' facility. */
  async disconnectUniversity(): Promise<void> {
    await this.platform.setRegistry({ ...MEMBERS, facilities: [facility(HOSPITAL), facility(UNIVERSITY, 'suspended')] })
  }

  /** Everybody belongs to the platform again. */
  async restore(): Promise<void> {
    await this.platform.setRegistry(MEMBERS)
  }

  /** A certificate of a machine of the hospital. */
  credentials(name: 'scope' | 'scanner'): Promise<CoreCredentials> {
    return this.platform.credentials(name, HOSPITAL, 'agent')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync()
  }
}

/** A node of a platform, as its members ask it. */
export class PlatformNode {
  readonly origin: string
  readonly membersOrigin: string
  readonly #key: JWK
  readonly #issuer: InvitationIssuer
  readonly #consultationId: ConsultationId

  private constructor({ origin }: Pick<LocalNode, 'origin'>, membersPort: number, { key, issuer, consultationId }: { readonly key: JWK; readonly issuer: InvitationIssuer; readonly consultationId: ConsultationId }) {
    this.origin = origin
    this.membersOrigin = `https://localhost:${membersPort}`
    this.#key = key
    this.#issuer = issuer
    this.#consultationId = consultationId
  }

  /** @param node - Where it is, and its key. */
  static async open(node: Pick<LocalNode, 'origin' | 'stateDir'>, membersPort: number, consultationId: ConsultationId): Promise<PlatformNode> {
    const key = await loadInvitationKey(node.stateDir)
    return new PlatformNode(node, membersPort, { key, issuer: await InvitationIssuer.open(key), consultationId })
  }

  /** Somebody signs in here: a new client each time. */
  signIn(id: 'doctor' | 'colleague'): Promise<SignedInPerson> {
    return SignedInPerson.open(this.#key, doctor(id))
  }

  /** Asks until it is granted, since what the core was told may not have come here yet. @throws {RelayFault} the last refusal. */
  async grantMachine(credentials: CoreCredentials, role: Role, signal: AbortSignal): Promise<GrantedMachine> {
    const agent = new Agent({ ...credentials, keepAlive: true })
    const body = await this.#question(role, role)
    const answer = await until(signal, () => this.askAsMachine(agent, '', 'POST', '/access/grants', { 'content-type': 'application/json' }, body))
    return { credentials, agent, token: answer.token }
  }

  /** As {@link grantMachine}. */
  async grantPerson(person: SignedInPerson, member: string, signal: AbortSignal): Promise<GrantedPerson> {
    return { person, token: (await until(signal, () => this.askForGrant(person, member))).token }
  }

  /** Asks once. */
  async askForGrant(person: SignedInPerson, member: string): Promise<NodeReply> {
    const url = `${this.origin}/access/grants`
    const headers = { ...(await person.headers('POST', url)), 'content-type': 'application/json' }
    const question = await this.#question('viewer', member)
    return exchange(askPlainly(url, { method: 'POST', headers, agent: false }), question)
  }

  /** One request over the members' door. */
  askAsMachine(agent: Agent, token: string, method: string, path: string, headers: Record<string, string>, body?: Buffer): Promise<NodeReply> {
    const authorization = token === '' ? {} : { authorization: `Bearer ${token}` }
    return exchange(askSecurely(`${this.membersOrigin}${path}`, { method, agent, headers: { ...headers, ...authorization, ...(body === undefined ? {} : { 'content-length': body.length }) } }), body)
  }

  async #question(role: Role, member: string): Promise<Buffer> {
    const invitation = await this.#issuer.issue({ consultationId: this.#consultationId, memberId: MemberId.parse(member), role, lifetimeSeconds: HOUR / 1000 })
    return Buffer.from(JSON.stringify({ invitation, purpose: 'consultation' }))
  }
}

async function exchange(request: ClientRequest, body?: Buffer): Promise<NodeReply> {
  // Where it failed is told by the promise below.
  request.on('error', () => undefined)
  request.end(body)
  const [response] = (await once(request, 'response', { signal: AbortSignal.timeout(ANSWER_DEADLINE_MILLIS) })) as [IncomingMessage]
  return { status: response.statusCode ?? 0, body: await buffer(response) }
}

async function until(signal: AbortSignal, ask: () => Promise<NodeReply>): Promise<GrantAnswer> {
  for (const deadline = performance.now() + KNOWN_WITHIN_MILLIS; ;) {
    signal.throwIfAborted()
    const { status, body } = await ask()
    if (status === 200) return GrantAnswer.parse(JSON.parse(body.toString()))
    if (performance.now() > deadline) throw new RelayFault('grant_refused', `the node granted nothing: ${status} ${body.toString().slice(0, 100)}`)
    await new Promise(resolve => setTimeout(resolve, AGAIN_MILLIS))
  }
}
