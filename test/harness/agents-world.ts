import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TlsFiles } from '../../relay/runtime/tls-files.ts'
import { NodeId } from '../../relay/wire/access.ts'
import { NodeUnderTest } from './node-under-test.ts'
import { HOSPITAL, PlatformUnderTest, TWO_FACILITIES, UNIVERSITY } from './platform-under-test.ts'
import type { CoreCredentials } from '../../relay/access/core/core-client.ts'
import type { ConsentId } from '../../relay/wire/access.ts'
import type { TlsMaterial } from '../../relay/runtime/tls-files.ts'
import type { Role } from '../../relay/wire/signaling.ts'
import type { NodeConfig } from '../../sfu/config.ts'

const agent = (id: string) => ({ id: NodeId.parse(id), facilityId: UNIVERSITY, kind: 'agent' as const, status: 'active' as const })

/** Two facilities, and a microscope and a scanner beside the university's node. */
export const WITH_AGENTS = { ...TWO_FACILITIES, nodes: [...TWO_FACILITIES.nodes, agent('scope'), agent('scanner')] }

/** Waits for what another process does. */
export async function until(what: string | (() => string), holds: () => boolean | Promise<boolean>, deadlineMillis = 30_000): Promise<void> {
  const deadline = performance.now() + deadlineMillis
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${typeof what === 'string' ? what : what()}`)
    await sleep(20)
  }
}

/** A platform, a node of the university that hears it, a case with consent, and files for agents beside it. */
export class AgentsWorld implements AsyncDisposable {
  readonly platform: PlatformUnderTest
  readonly desk: CoreCredentials
  readonly consentId: ConsentId
  readonly #settings: Partial<NodeConfig>
  #node: NodeUnderTest

  private constructor(platform: PlatformUnderTest, node: NodeUnderTest, desk: CoreCredentials, consentId: ConsentId, settings: Partial<NodeConfig>) {
    this.platform = platform
    this.#node = node
    this.desk = desk
    this.consentId = consentId
    this.#settings = settings
  }

  static async open(settings: Partial<NodeConfig> = {}): Promise<AgentsWorld> {
    await using scope = new AsyncDisposableStack()
    const platform = scope.use(await PlatformUnderTest.open())
    await platform.setRegistry(WITH_AGENTS)
    const [desk, own] = await Promise.all([platform.credentials('hospital-desk', HOSPITAL, 'agent'), platform.credentials('university-node', UNIVERSITY)])
    const file = (name: string): string => join(platform.folder, name)
    await Promise.all([writeFile(file('node.pem'), own.cert), writeFile(file('node.key'), own.key), writeFile(file('ca.pem'), own.ca)])
    const all = {
      coreUrl: platform.url, nodeCertFile: file('node.pem'), nodeKeyFile: file('node.key'), platformCaFile: file('ca.pem'),
      registryKeyFile: platform.registryKeyFile, membersListenPort: 0, ...settings,
    }
    const node = scope.use(await NodeUnderTest.open(all))
    await platform.openCase(desk)
    const { consentId } = await platform.consent(desk, await platform.cards.issue('試験 花子'))
    scope.move()
    const world = new AgentsWorld(platform, node, desk, consentId, { ...all, membersListenPort: node.node.membersPort ?? 0 })
    await until('the core to be heard', async () => ((await (await fetch(`${node.node.origin}/access`)).json()) as { isCoreReachable: boolean }).isCoreReachable)
    return world
  }

  get node(): NodeUnderTest {
    return this.#node
  }

  /** Of the door for members. */
  get membersOrigin(): string {
    return `https://localhost:${this.#node.node.membersPort}`
  }

  /** Writes an agent's certificate and key. @returns The flags that name them, and the door. */
  async flags(nodeId: string): Promise<string[]> {
    const file = (name: string): string => join(this.platform.folder, `${nodeId}.${name}`)
    const { cert, key } = await this.platform.credentials(nodeId, UNIVERSITY, 'agent')
    await Promise.all([writeFile(file('pem'), cert), writeFile(file('key'), key)])
    return ['--cert-file', file('pem'), '--key-file', file('key'), '--ca-file', join(this.platform.folder, 'ca.pem'), '--node', this.membersOrigin]
  }

  /** An agent's certificate and key as they were written; both are made when there are none. */
  async material(nodeId: string): Promise<TlsMaterial> {
    const file = (name: string): string => join(this.platform.folder, name)
    if (!existsSync(file(`${nodeId}.pem`))) await this.flags(nodeId)
    return new TlsFiles({ certFile: file(`${nodeId}.pem`), keyFile: file(`${nodeId}.key`), caFile: file('ca.pem') }).read()
  }

  /** An invitation, good at any node that has this one's key: a token alone. */
  async invite(role: Role, member: string): Promise<string> {
    return new URLSearchParams(new URL(await this.#node.invite(role, { member })).hash.slice(1)).get('invitation') ?? ''
  }

  /** Ends the node and starts it anew with the same state, at the same door. */
  async restartNode(): Promise<void> {
    this.#node = await this.#node.restart(this.#settings)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node[Symbol.asyncDispose]()
    await this.platform[Symbol.asyncDispose]()
  }
}
