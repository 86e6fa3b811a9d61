import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SignInTickets } from '../../relay/access/practitioners/sign-in-tickets.ts'
import { FacilityId, NodeId, PractitionerId } from '../../relay/wire/access.ts'
import { LinkName } from '../../relay/wire/link.ts'
import { withTicket } from '../../sfu/access/practitioner-command.ts'
import { loadInvitationKey } from '../../sfu/invitation-key.ts'
import { TrialPlatform } from './trial-platform.ts'
import type { RegistryDraft } from '../../relay/access/registry/registry-ledger.ts'
import type { ConsultationId } from '../../relay/wire/ids.ts'
import type { NodeConfig } from '../../sfu/config.ts'

const [HOSPITAL, PLATFORM, UNIVERSITY] = [FacilityId.parse('demo-hospital'), FacilityId.parse('demo-platform'), FacilityId.parse('demo-university')]
const [DESK, MICROSCOPE, NODE] = [NodeId.parse('demo-desk'), NodeId.parse('demo-microscope'), NodeId.parse('demo-node')]
/** Who looks. */
const PATHOLOGIST = PractitionerId.parse('demo-pathologist')
const PURPOSE = 'consultation'
const LIFETIME_MILLIS = 24 * 3_600_000

const REGISTRY: RegistryDraft = {
  facilities: [
    { id: HOSPITAL, displayName: 'Demo hospital', status: 'active' },
    { id: PLATFORM, displayName: 'Demo platform', status: 'active' },
    { id: UNIVERSITY, displayName: 'Demo university', status: 'active' },
  ],
  nodes: [
    { id: DESK, facilityId: HOSPITAL, kind: 'agent', status: 'active' },
    { id: MICROSCOPE, facilityId: HOSPITAL, kind: 'agent', status: 'active' },
    { id: NODE, facilityId: PLATFORM, kind: 'node', status: 'active' },
  ],
  links: [
    { name: LinkName.parse('hospital-line'), class: 'best-effort', between: [HOSPITAL, PLATFORM], bitsPerSecond: 1_000_000_000, status: 'active' },
    { name: LinkName.parse('university-line'), class: 'sinet', between: [PLATFORM, UNIVERSITY], bitsPerSecond: 1_000_000_000, status: 'active' },
  ],
  services: [],
  practitioners: [{ id: PATHOLOGIST, facilityId: UNIVERSITY, role: 'pathologist', displayName: 'Demo pathologist', status: 'active' }],
  revokedCertificates: [],
}

/** Files with a certificate of the platform's CA, its key, and the CA. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
}

/**
 * The platform of `npm start`: a hospital with a microscope, a university with a pathologist, and between them
 * the platform with its core and node. Its CA, registry and patient's card are made anew with each start, and
 * the consultation goes on a consent that this card signed.
 */
export class DemoPlatform implements AsyncDisposable {
  /** Of the microscope's certificate. */
  readonly microscope: CertificateFiles
  readonly #platform: TrialPlatform
  readonly #node: CertificateFiles

  private constructor(platform: TrialPlatform, node: CertificateFiles, microscope: CertificateFiles) {
    this.#platform = platform
    this.#node = node
    this.microscope = microscope
  }

  /** @param consultationId - What the hospital opens and the patient signs for. */
  static async open(consultationId: ConsultationId): Promise<DemoPlatform> {
    await using scope = new AsyncDisposableStack()
    const platform = scope.use(await TrialPlatform.open(REGISTRY))
    const filesOf = async (id: NodeId, facilityId: FacilityId, kind: 'node' | 'agent'): Promise<CertificateFiles> => {
      const { cert, key, ca } = await platform.credentials(id, facilityId, kind)
      const file = (ending: string): string => join(platform.folder, `${id}.${ending}`)
      const files = { certFile: file('pem'), keyFile: file('key'), caFile: file('ca.pem') }
      await Promise.all([writeFile(files.certFile, cert), writeFile(files.keyFile, key, { mode: 0o600 }), writeFile(files.caFile, ca)])
      return files
    }
    const [node, microscope, desk] = await Promise.all([filesOf(NODE, PLATFORM, 'node'), filesOf(MICROSCOPE, HOSPITAL, 'agent'), platform.credentials(DESK, HOSPITAL, 'agent')])
    const validUntilMillis = Date.now() + LIFETIME_MILLIS
    const participants = [PLATFORM, UNIVERSITY]
    await platform.openConsultation(desk, { consultationId, hostFacilityId: HOSPITAL, participants, purpose: PURPOSE, validUntilMillis })
    await platform.sign(desk, await platform.cards.issue('試験 花子'), {
      consultationId, hostFacilityId: HOSPITAL, recipients: [HOSPITAL, ...participants], purposes: [PURPOSE],
      scopes: ['live', 'slide', 'recording'], validFromMillis: Date.now() - 1000, validUntilMillis,
    })
    scope.move()
    return new DemoPlatform(platform, node, microscope)
  }

  /** What makes a node the platform's. Its state is the platform's as well: nothing of another platform may be found in it. */
  get nodeSettings(): Partial<NodeConfig> & Pick<NodeConfig, 'stateDir'> {
    const { certFile, keyFile, caFile } = this.#node
    return {
      stateDir: join(this.#platform.folder, 'node'), allowTicketSignIn: true, coreUrl: this.#platform.url, registryKeyFile: this.#platform.registryKeyFile,
      nodeCertFile: certFile, nodeKeyFile: keyFile, platformCaFile: caFile, membersListenPort: 0,
    }
  }

  /** The same link, with a ticket by which the pathologist is signed in: there is no card and no passkey in a demonstration. */
  async signedIn(link: string, lifetimeSeconds: number): Promise<string> {
    const tickets = await SignInTickets.open(await loadInvitationKey(this.nodeSettings.stateDir))
    return withTicket(`${link}&purpose=${PURPOSE}`, await tickets.issue(PATHOLOGIST, lifetimeSeconds))
  }

  /** What it consists of, for a terminal. */
  get description(): string {
    return [
      'A platform of three facilities, made for this run and forgotten with it:',
      `  ${HOSPITAL}    a microscope with a certificate, and a desk where a patient signed consent with a test card`,
      `  ${PLATFORM}    the core, which knows who belongs to it and who consented, and the node`,
      `  ${UNIVERSITY}  a pathologist, whom the link below signs in by a ticket instead of a card or passkey`,
    ].join('\n')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#platform[Symbol.asyncDispose]()
  }
}
