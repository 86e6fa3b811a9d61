import { randomInt } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { RelayFault } from '../../relay/wire/fault.ts'
import { runCommand } from './command.ts'
import { managementLinkName, Namespaces } from './namespaces.ts'
import { NetemEmulator } from './netem-emulator.ts'
import { UserSpaceEmulator } from './user-space-emulator.ts'
import type { BothCounts, LineEmulator } from './line-emulator.ts'
import type { LineProfile } from './profiles.ts'

/** Leaves get addresses from here on in the block of their network. */
const FIRST_LEAF = 16
const MOST_LEAVES = 32
/** Of the VXLAN devices; two per line. Only inside namespaces of ours. */
const FIRST_VXLAN_PORT = 4800
const WIRE_ADDRESS = '10.0.0.1'
const EMULATOR_ADDRESS = '10.0.0.2'
/** The interface of every leaf. */
const LEAF_LINK = 'line0'
/** What VXLAN puts around a full packet, and room to spare. @see RFC 7348 section 5 */
const UNDERLAY_MTU = '1600'

/** What an {@link EmulatedNetwork} is made of. */
export interface EmulatedNetworkOptions {
  /** One entry per leaf, each joined to the node by its own line. */
  readonly leaves: Readonly<Record<string, LineProfile>>
  readonly signal: AbortSignal
  /** Instead of netem where the kernel has it and our own where not. */
  readonly emulator?: 'netem' | 'user-space' | undefined
  /** Of all that our emulator draws; the same by default. */
  readonly seed?: number | undefined
}

/** One line while it is being built. */
interface Strand {
  readonly index: number
  readonly leaf: string
  readonly profile: LineProfile
  readonly leafAddress: string
  readonly leafMac: string
  readonly nodeMac: string
  readonly nodeLink: string
}

/**
 * A star of network namespaces: the node in the middle, and every leaf joined to it by a line of its own. Leaves
 * reach the node and nothing else. The host reaches the node, for its metrics, by a management link (one veth end
 * in the host's namespace, `kenkyo-<random>`), and touches nothing else of the host's network.
 *
 * Addresses are of 198.18.0.0/15, which is set aside for benchmarks. @see RFC 2544 appendix C.2.2
 */
export class EmulatedNetwork implements AsyncDisposable {
  /** The address by which every leaf reaches the node, and the host does. */
  readonly nodeAddress: string
  /** What emulates the lines, for reports. */
  readonly description: string
  /** Names of the leaves. */
  readonly leaves: readonly string[]
  readonly #namespaces: Namespaces
  readonly #emulator: LineEmulator
  readonly #scriptDir: string
  readonly #scope: AsyncDisposableStack

  private constructor(nodeAddress: string, leaves: readonly string[], namespaces: Namespaces, emulator: LineEmulator, scriptDir: string, scope: AsyncDisposableStack) {
    this.nodeAddress = nodeAddress
    this.description = emulator.description
    this.leaves = leaves
    this.#namespaces = namespaces
    this.#emulator = emulator
    this.#scriptDir = scriptDir
    this.#scope = scope
  }

  /**
   * @throws {RelayFault} `bad_config` for leaves that cannot be; `unavailable` without root, iproute2, ethtool or
   *   a kernel that has what it takes; `timeout`.
   */
  static async open({ leaves, signal, emulator: wanted, seed = 1 }: EmulatedNetworkOptions): Promise<EmulatedNetwork> {
    const names = Object.keys(leaves)
    const taken = names.find(name => ['node', 'wire', 'emulator'].includes(name))
    if (taken !== undefined) throw new RelayFault('bad_config', `a leaf cannot be called ${taken}`)
    if (names.length === 0 || names.length > MOST_LEAVES) throw new RelayFault('bad_config', `a network has from 1 to ${MOST_LEAVES} leaves`)
    signal.throwIfAborted()
    await using scope = new AsyncDisposableStack()
    const namespaces = scope.use(await Namespaces.open(['node', 'wire', 'emulator', ...names]))
    const block = await findFreeBlock()
    const nodeAddress = `${block}.1`
    const strands = Object.entries(leaves).map(([leaf, profile], index) => strand(block, leaf, profile, index))
    await namespaces.ip('node', 'addr', 'add', `${nodeAddress}/32`, 'dev', 'lo')
    const isNetem = wanted === 'netem' || (wanted === undefined && (await NetemEmulator.isInKernel(namespaces, 'emulator')))
    await (isNetem ? bridgeLines(namespaces, strands) : tunnelLines(namespaces, strands))
    for (const each of strands) await addressLine(namespaces, nodeAddress, each)
    signal.throwIfAborted()
    const emulator = scope.use(
      isNetem
        ? await NetemEmulator.open(namespaces, 'emulator', strands.map(({ index, leaf, profile }) => ({ leaf, profile, towardsLeaf: `leaf${index}`, towardsNode: `node${index}` })))
        : await UserSpaceEmulator.open({
            enter: namespaces.enter('emulator'), ownAddress: EMULATOR_ADDRESS, wireAddress: WIRE_ADDRESS, seed, signal,
            lines: strands.map(({ index, leaf, profile }) => ({ leaf, profile, ...vxlanPorts(index) })),
          }),
    )
    scope.defer(await openManagementLink(namespaces, block, nodeAddress))
    const scriptDir = await mkdtemp(join(tmpdir(), 'kenkyo-lines-'))
    scope.defer(() => rm(scriptDir, { recursive: true, force: true }))
    signal.throwIfAborted()
    return new EmulatedNetwork(nodeAddress, names, namespaces, emulator, scriptDir, scope.move())
  }

  /** Words to put before a command so that it runs in that namespace; `place` is `node` or a leaf's name. @throws {RelayFault} `bad_config` */
  enter(place: string): readonly string[] {
    return this.#namespaces.enter(place)
  }

  /** The address by which the node reaches a leaf. @throws {RelayFault} `bad_config` */
  leafAddress(leaf: string): string {
    this.#refuseStranger(leaf)
    return leafAddress(this.nodeAddress.replace(/\.\d+$/, ''), this.leaves.indexOf(leaf))
  }

  /** Path of an executable script that runs `program` in that namespace; it goes with the network. @throws {RelayFault} `bad_config` */
  async wrapper(place: string, program: string): Promise<string> {
    const path = join(this.#scriptDir, `${place}-${basename(program)}`)
    const words = [...this.enter(place), program].map(word => `'${word.replaceAll("'", String.raw`'\''`)}'`)
    await writeFile(path, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o755 })
    return path
  }

  /** The emulator's own counts of a leaf's line; up = leaf to node. */
  async counts(leaf: string): Promise<BothCounts> {
    this.#refuseStranger(leaf)
    return await this.#emulator.counts(leaf)
  }

  /** From now on the line to this leaf is another. */
  async change(leaf: string, profile: LineProfile): Promise<void> {
    this.#refuseStranger(leaf)
    await this.#emulator.change(leaf, profile)
  }

  /** Rejects with `unavailable` when the emulator dies; never resolves. */
  get failed(): Promise<never> {
    return this.#emulator.failed
  }

  /** Ends whatever still runs in the namespaces, and leaves nothing behind. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync()
  }

  #refuseStranger(leaf: string): void {
    if (!this.leaves.includes(leaf)) throw new RelayFault('bad_config', `no line leads to ${JSON.stringify(leaf)}; there are ${this.leaves.join(', ')}`)
  }
}

const vxlanPorts = (index: number): { leafPort: number; nodePort: number } => ({ leafPort: FIRST_VXLAN_PORT + 2 * index, nodePort: FIRST_VXLAN_PORT + 2 * index + 1 })

const leafAddress = (block: string, index: number): string => `${block}.${FIRST_LEAF + index}`

function strand(block: string, leaf: string, profile: LineProfile, index: number): Strand {
  const mac = (end: number): string => `02:00:00:00:${end.toString(16).padStart(2, '0')}:${index.toString(16).padStart(2, '0')}`
  return { index, leaf, profile, leafAddress: leafAddress(block, index), leafMac: mac(1), nodeMac: mac(2), nodeLink: `line${index}` }
}

/** Three numbers of 198.18.0.0/15 that no interface and no route of the host starts with. */
async function findFreeBlock(): Promise<string> {
  const inUse = `${await runCommand('ip', ['-4', 'addr'])}\n${await runCommand('ip', ['-4', 'route', 'show', 'table', 'all'])}`
  const free = Array.from({ length: 512 }, (_, index) => `198.${18 + (index >> 8)}.${index & 255}`).filter(block => !inUse.includes(`${block}.`))
  const block = free[free.length === 0 ? 0 : randomInt(free.length)]
  if (block === undefined) throw new RelayFault('unavailable', 'no addresses are left in 198.18.0.0/15')
  return block
}

/**
 * Both ends of every line are VXLAN devices, made in the namespace `wire` and moved to where they are used: their
 * datagrams stay in `wire`, whose only other way out is the veth to the emulator's sockets.
 */
async function tunnelLines(namespaces: Namespaces, strands: readonly Strand[]): Promise<void> {
  const emulator = namespaces.name('emulator')
  await namespaces.ip('wire', 'link', 'add', 'wire0', 'mtu', UNDERLAY_MTU, 'type', 'veth', 'peer', 'name', 'wire1', 'mtu', UNDERLAY_MTU, 'netns', emulator)
  for (const [place, link, address] of [['wire', 'wire0', WIRE_ADDRESS], ['emulator', 'wire1', EMULATOR_ADDRESS]] as const) {
    await namespaces.ip(place, 'addr', 'add', `${address}/24`, 'dev', link)
    await namespaces.disableOffloads(place, link)
    await namespaces.ip(place, 'link', 'set', link, 'up')
  }
  for (const { index, leaf, leafMac, nodeMac, nodeLink } of strands) {
    const { leafPort, nodePort } = vxlanPorts(index)
    for (const [place, link, mac, port] of [[leaf, LEAF_LINK, leafMac, leafPort], ['node', nodeLink, nodeMac, nodePort]] as const) {
      const temporary = `vx${port}`
      await namespaces.ip('wire', 'link', 'add', temporary, 'mtu', '1500', 'address', mac, 'type', 'vxlan',
        'id', String(index + 1), 'local', WIRE_ADDRESS, 'remote', EMULATOR_ADDRESS, 'dstport', String(port), 'nolearning', 'noudpcsum')
      await namespaces.ip('wire', 'link', 'set', temporary, 'netns', namespaces.name(place), 'name', link)
    }
  }
}

/** For netem: a bridge per line in the emulator's namespace, whose two ports are where the queues are. */
async function bridgeLines(namespaces: Namespaces, strands: readonly Strand[]): Promise<void> {
  for (const { index, leaf, leafMac, nodeMac, nodeLink } of strands) {
    await namespaces.ip('emulator', 'link', 'add', `bridge${index}`, 'type', 'bridge')
    for (const [place, link, mac, port] of [[leaf, LEAF_LINK, leafMac, `leaf${index}`], ['node', nodeLink, nodeMac, `node${index}`]] as const) {
      await namespaces.ip('emulator', 'link', 'add', port, 'type', 'veth', 'peer', 'name', link, 'address', mac, 'netns', namespaces.name(place))
      await namespaces.ip('emulator', 'link', 'set', port, 'master', `bridge${index}`)
      await namespaces.disableOffloads('emulator', port)
      await namespaces.ip('emulator', 'link', 'set', port, 'up')
    }
    await namespaces.ip('emulator', 'link', 'set', `bridge${index}`, 'up')
  }
}

/** Neighbours are written down, so that no ARP crosses the line, to be delayed, lost or counted. */
async function addressLine(namespaces: Namespaces, nodeAddress: string, { leaf, leafAddress, leafMac, nodeMac, nodeLink }: Strand): Promise<void> {
  await namespaces.disableOffloads(leaf, LEAF_LINK)
  await namespaces.disableOffloads('node', nodeLink)
  await namespaces.ip(leaf, 'addr', 'add', `${leafAddress}/32`, 'dev', LEAF_LINK)
  await namespaces.ip(leaf, 'link', 'set', LEAF_LINK, 'up')
  await namespaces.ip('node', 'link', 'set', nodeLink, 'up')
  await namespaces.ip(leaf, 'neigh', 'replace', nodeAddress, 'lladdr', nodeMac, 'dev', LEAF_LINK, 'nud', 'permanent')
  await namespaces.ip('node', 'neigh', 'replace', leafAddress, 'lladdr', leafMac, 'dev', nodeLink, 'nud', 'permanent')
  await namespaces.ip(leaf, 'route', 'add', nodeAddress, 'dev', LEAF_LINK, 'src', leafAddress)
  // WebRTC finds its own address by asking which way a packet to the internet would take. The node forwards none.
  await namespaces.ip(leaf, 'route', 'add', 'default', 'via', nodeAddress, 'dev', LEAF_LINK, 'src', leafAddress)
  await namespaces.ip('node', 'route', 'add', leafAddress, 'dev', nodeLink, 'src', nodeAddress)
}

/** From the host to the node, past all lines. @returns What takes it down. */
async function openManagementLink(namespaces: Namespaces, block: string, nodeAddress: string): Promise<() => Promise<void>> {
  const hostLink = managementLinkName(namespaces.runId)
  const hostAddress = `${block}.2`
  await runCommand('ip', ['link', 'add', hostLink, 'type', 'veth', 'peer', 'name', 'management', 'netns', namespaces.name('node')])
  await runCommand('ip', ['addr', 'add', `${hostAddress}/32`, 'peer', `${nodeAddress}/32`, 'dev', hostLink])
  await namespaces.ip('node', 'link', 'set', 'management', 'up')
  await runCommand('ip', ['link', 'set', hostLink, 'up'])
  await namespaces.ip('node', 'route', 'add', hostAddress, 'dev', 'management', 'src', nodeAddress)
  return async () => {
    await runCommand('ip', ['link', 'del', hostLink])
  }
}
