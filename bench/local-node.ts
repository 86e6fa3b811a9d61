import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvitationIssuer } from '../relay/access/invitation.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { ConsultationId, MemberId } from '../relay/wire/ids.ts'
import { millis } from '../relay/wire/units.ts'
import { loadInvitationKey } from '../sfu/invitation-key.ts'
import { invitationLink } from '../sfu/node.ts'
import { chromiumPath } from './chromium.ts'
import { parseExposition } from './exposition.ts'
import { findFreePorts } from './free-ports.ts'
import { NodeCertificate } from './node-certificate.ts'
import { ChildProgram } from './processes.ts'
import type { Role } from '../relay/wire/signaling.ts'
import type { ChromiumLaunch } from './chromium.ts'
import type { MetricSample } from './exposition.ts'
import type { EmulatedNetwork } from './lines/emulated-network.ts'

const KENKYO = fileURLToPath(new URL('../scripts/kenkyo.ts', import.meta.url))
const START_DEADLINE = millis(20_000)
/** An agent has a recording of hundreds of megabytes to read and check before it publishes. */
const PUBLISH_DEADLINE = millis(60_000)
const INVITATION_LIFETIME_SECONDS = 6 * 3600
/** Another program may take the ports between finding and using them. */
const START_ATTEMPTS = 3
const FIRST_NETWORK_PORT = 20_000

/** How a node for measuring is started. */
export interface LocalNodeOptions {
  /** mediasoup workers; the node's own default without it. */
  readonly workers?: number | undefined
  readonly statsIntervalSeconds: number
  readonly signal: AbortSignal
  /** Then it runs at `node` in this network, with TLS, and everybody else at a leaf of it. */
  readonly network?: EmulatedNetwork | undefined
  /** Further arguments of `kenkyo node`. */
  readonly settings?: readonly string[] | undefined
}

/** Where a program that joins the node has to run, and what it has to know. */
export interface Place {
  readonly enter: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** The fixed sentence of a log line of ours; undefined for any other line. */
function logMessage(line: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined
  } catch {
    // Not every line of a program is a log line.
    return undefined
  }
}

/**
 * A node in a process of its own, with a state directory that goes with it: on free loopback ports, or in an
 * emulated network. There it has a certificate of its own, because a node without one serves loopback only and a
 * browser decodes nothing for a page that came in the clear from elsewhere.
 */
export class LocalNode implements AsyncDisposable {
  readonly origin: string
  readonly program: ChildProgram
  readonly stateDir: string
  readonly #issuer: InvitationIssuer
  readonly #inNetwork: InNetwork | undefined
  readonly #scope: AsyncDisposableStack

  private constructor({ origin, program, stateDir }: Pick<LocalNode, 'origin' | 'program' | 'stateDir'>, issuer: InvitationIssuer, inNetwork: InNetwork | undefined, scope: AsyncDisposableStack) {
    this.origin = origin
    this.program = program
    this.stateDir = stateDir
    this.#issuer = issuer
    this.#inNetwork = inNetwork
    this.#scope = scope
  }

  /** @throws {RelayFault} `unavailable` or `timeout`, quoting the node's last words. */
  static async open(options: LocalNodeOptions): Promise<LocalNode> {
    await using scope = new AsyncDisposableStack()
    const stateDir = await mkdtemp(join(tmpdir(), 'kenkyo-bench-'))
    scope.defer(() => rm(stateDir, { recursive: true, force: true }))
    const issuer = await InvitationIssuer.open(await loadInvitationKey(stateDir))
    const { network } = options
    const inNetwork = network === undefined ? undefined : { network, certificate: await NodeCertificate.make(network.nodeAddress, stateDir) }
    for (let attempt = 1; ; attempt++) {
      try {
        const { program, origin } = await startNode(stateDir, options, inNetwork)
        scope.use(program)
        return new LocalNode({ origin, program, stateDir }, issuer, inNetwork, scope.move())
      } catch (error) {
        const isTaken = error instanceof RelayFault && error.message.includes('address_in_use')
        if (!isTaken || attempt === START_ATTEMPTS) throw error
      }
    }
  }

  /** The files of its certificate; undefined on loopback. */
  get certificateFiles(): { readonly certFile: string; readonly keyFile: string } | undefined {
    return this.#inNetwork?.certificate
  }

  /** An invitation link to the one consultation of this node. */
  async invite(role: Role, member: string): Promise<string> {
    const token = await this.#issuer.issue({
      consultationId: ConsultationId.parse('bench'),
      memberId: MemberId.parse(member),
      role,
      lifetimeSeconds: INVITATION_LIFETIME_SECONDS,
    })
    return invitationLink(this.origin, token)
  }

  /** Its metrics, as `/metrics` has them now. */
  async metrics(): Promise<MetricSample[]> {
    if (this.#inNetwork !== undefined) return parseExposition(await this.#inNetwork.certificate.fetchText(`${this.origin}/metrics`))
    const response = await fetch(`${this.origin}/metrics`)
    if (!response.ok) throw new RelayFault('unavailable', `/metrics answered ${response.status}`)
    return parseExposition(await response.text())
  }

  /** How a Node program at a leaf reaches this node; nothing special on loopback. @throws {RelayFault} `bad_config` for a leaf that is none. */
  place(leaf: string): Place {
    if (this.#inNetwork === undefined) return { enter: [], environment: {} }
    const { network, certificate } = this.#inNetwork
    return { enter: network.enter(leaf), environment: certificate.environment }
  }

  /** How a browser at a leaf reaches this node; nothing special on loopback. @throws {RelayFault} `bad_config` for a leaf that is none. */
  async browserAt(leaf: string): Promise<ChromiumLaunch> {
    if (this.#inNetwork === undefined) return {}
    const { network, certificate } = this.#inNetwork
    return { executablePath: await network.wrapper(leaf, chromiumPath()), args: certificate.chromiumArguments }
  }

  /** How a browser on this machine's own network reaches this node: past all lines, by the management link. */
  browserPastLines(): ChromiumLaunch {
    return this.#inNetwork === undefined ? {} : { args: this.#inNetwork.certificate.chromiumArguments }
  }

  /**
   * Starts a capture agent in a process of its own, and waits until it publishes.
   *
   * @param args - Of `kenkyo capture`, the invitation aside.
   * @param leaf - Where in the node's network, if it has one.
   * @throws {RelayFault} `unavailable` or `timeout`, quoting the agent's last words.
   */
  async startAgent(args: readonly string[], signal: AbortSignal, leaf = 'microscope'): Promise<ChildProgram> {
    const { enter, environment } = this.place(leaf)
    await using scope = new AsyncDisposableStack()
    const agent = scope.use(
      await ChildProgram.start({
        name: 'capture agent',
        command: process.execPath,
        args: [KENKYO, 'capture', ...args],
        enter,
        environment: { ...environment, KENKYO_INVITATION: await this.invite('microscope', 'agent') },
      }),
    )
    await agent.line(line => (logMessage(line)?.['msg'] === 'publishing' ? true : undefined), PUBLISH_DEADLINE, signal)
    scope.move()
    return agent
  }

  /** Ends the node. Whatever else was started on it ends with its own scope. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync()
  }
}

/** The network that a node is in, and what it shows there. */
interface InNetwork {
  readonly network: EmulatedNetwork
  readonly certificate: NodeCertificate
}

/** Settings of a node that is reached by the address it has in its network. */
function networkArguments({ network, certificate }: InNetwork): string[] {
  const { nodeAddress } = network
  return ['--listen-host', nodeAddress, '--rtc-listen-ip', nodeAddress, '--tls-cert-file', certificate.certFile, '--tls-key-file', certificate.keyFile]
}

async function startNode(stateDir: string, { workers, statsIntervalSeconds, settings = [], signal }: LocalNodeOptions, inNetwork: InNetwork | undefined) {
  const count = workers ?? 8
  const args = [
    KENKYO, 'node',
    '--state-dir', stateDir,
    '--listen-port', '0',
    // A namespace of its own has all its ports free.
    '--rtc-base-port', String(inNetwork === undefined ? await findFreePorts(count) : FIRST_NETWORK_PORT),
    ...(inNetwork === undefined ? [] : networkArguments(inNetwork)),
    '--stats-interval-seconds', String(statsIntervalSeconds),
    ...(workers === undefined ? [] : ['--workers', String(workers)]),
    ...settings,
  ]
  await using scope = new AsyncDisposableStack()
  const program = scope.use(await ChildProgram.start({ name: 'node', command: process.execPath, args, enter: inNetwork?.network.enter('node') ?? [] }))
  const origin = await program.line(
    line => {
      const message = logMessage(line)
      return message?.['msg'] === 'node is ready' ? String(message['origin']) : undefined
    },
    START_DEADLINE,
    signal,
  )
  scope.move()
  return { program, origin }
}
