import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignInTickets } from '../../relay/access/practitioners/sign-in-tickets.ts'
import { OperatorTokens } from '../../relay/access/operator-token.ts'
import { AUDIT_PUBLIC_KEY_FILE } from '../../relay/audit/audit-key.ts'
import { createLogger } from '../../relay/runtime/log.ts'
import { ConsultationId, MemberId } from '../../relay/wire/ids.ts'
import { NodeConfig } from '../../sfu/config.ts'
import { loadInvitationKey } from '../../sfu/invitation-key.ts'
import { KenkyoNode } from '../../sfu/node.ts'
import { SignedInPerson } from './signed-in-person.ts'
import { findFreePorts } from '../../bench/free-ports.ts'
import type { PractitionerId } from '../../relay/wire/access.ts'
import type { Practitioner } from '../../relay/access/registry/registry.ts'
import type { Role } from '../../relay/wire/signaling.ts'

/** A node in this process, on free ports, with a state directory of its own. */
export class NodeUnderTest implements AsyncDisposable {
  readonly node: KenkyoNode
  readonly #stateDir: string

  private constructor(node: KenkyoNode, stateDir: string) {
    this.node = node
    this.#stateDir = stateDir
  }

  static async open(settings: Partial<NodeConfig> = {}): Promise<NodeUnderTest> {
    return NodeUnderTest.#openIn(await mkdtemp(join(tmpdir(), 'kenkyo-test-')), settings)
  }

  static async #openIn(stateDir: string, settings: Partial<NodeConfig>): Promise<NodeUnderTest> {
    const { workers = 1, listenPort = await findFreePorts(1), rtcBasePort = await findFreePorts(workers) } = settings
    const config = NodeConfig.parse({
      statsIntervalSeconds: 0.5, logLevel: 'silent', ...settings, workers, stateDir, listenPort, rtcBasePort,
    })
    return new NodeUnderTest(await KenkyoNode.open(config, createLogger({ level: config.logLevel, program: 'node' })), stateDir)
  }

  /** Stops it and opens another with its state. */
  async restart(settings: Partial<NodeConfig>): Promise<NodeUnderTest> {
    await this.node.close()
    return NodeUnderTest.#openIn(this.#stateDir, settings)
  }

  /** An invitation link. */
  invite(role: Role, { consultation = 'case-1', member = 'someone', lifetimeSeconds = 600 } = {}): Promise<string> {
    const consultationId = ConsultationId.parse(consultation)
    return this.node.invite({ consultationId, memberId: MemberId.parse(member), role, lifetimeSeconds })
  }

  /** Where it keeps what it keeps. */
  get stateDir(): string {
    return this.#stateDir
  }

  /** The public key of its audit log. */
  get auditKeyFile(): string {
    return join(this.#stateDir, AUDIT_PUBLIC_KEY_FILE)
  }

  /** A token of whoever runs the node. */
  async operatorToken(): Promise<string> {
    return (await OperatorTokens.open(await loadInvitationKey(this.#stateDir))).issue()
  }

  /** A ticket by which somebody signs in. */
  async ticket(practitioner: PractitionerId, lifetimeSeconds = 600): Promise<string> {
    return (await SignInTickets.open(await loadInvitationKey(this.#stateDir))).issue(practitioner, lifetimeSeconds)
  }

  /** Somebody who signed in here. */
  async signIn(practitioner: Practitioner): Promise<SignedInPerson> {
    return SignedInPerson.open(await loadInvitationKey(this.#stateDir), practitioner)
  }

  /** The sum over all samples of a metric whose labels match, from `/metrics`. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    return sumMetric(await (await fetch(`${this.node.origin}/metrics`)).text(), name, labels)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.close()
    await rm(this.#stateDir, { recursive: true, force: true })
  }
}

/** The sum over the samples of one metric in Prometheus text whose labels include all the given ones. */
export function sumMetric(text: string, name: string, labels: Record<string, string>): number {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`)
  return text
    .split('\n')
    .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter(line => wanted.every(label => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
