import { randomInt } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { RelayFault } from '../../relay/wire/fault.ts'
import { runCommand } from './command.ts'
import { managementLinkName, Namespaces } from './namespaces.ts'
import { NetemEmulator } from './netem-emulator.ts'
import { highestPriority } from './priority.ts'
import { addressLine, bridgeLines, EMULATOR_ADDRESS, lineName, linesOf, MOST_LINES, nodeAddressIn, planStrands, tunnelLines, vxlanPorts, WIRE_ADDRESS } from './strand.ts'
import { UserSpaceEmulator } from './user-space-emulator.ts'
import type { BothCounts, LineEmulator } from './line-emulator.ts'
import type { Priority } from './priority.ts'
import type { LineProfile } from './profiles.ts'
import type { Strand } from './strand.ts'

const NORMAL: Priority = { name: 'normal', words: [] }

/** What an {@link EmulatedNetwork} is made of. */
export interface EmulatedNetworkOptions {
  /** One entry per leaf, each joined to the node by a line of its own, or by several. */
  readonly leaves: Readonly<Record<string, LineProfile | readonly LineProfile[]>>
  readonly signal: AbortSignal
  /** Instead of netem where the kernel has it and our own where not. */
  readonly emulator?: 'netem' | 'user-space' | undefined
  /** Of all that our emulator draws; the same by default. */
  readonly seed?: number | undefined
  /** Whatever enters a place comes before the rest of the machine, as far as this user may say so; the emulator still comes first. */
  readonly isPreferred?: boolean | undefined
}

/**
 * A star of network namespaces: the node in the middle, and every leaf joined to it by a line of its own. Leaves
 * reach the node and nothing else. The host reaches the node, for its metrics, by a management link (one veth end
 * in the host's namespace, `kenkyo-<random>`), and touches nothing else of the host's network.
 *
 * A leaf with several lines has one address on each, and reaches the node on each by another address of the
 * node's: the address that a packet goes to decides on its line.
 *
 * Addresses are of 198.18.0.0/15, which is set aside for benchmarks. @see RFC 2544 appendix C.2.2
 */
export class EmulatedNetwork implements AsyncDisposable {
  /** The address by which every leaf reaches the node on its first line, and the host does. */
  readonly nodeAddress: string
  /** By number of the line; as many as the leaf with most lines has. */
  readonly nodeAddresses: readonly string[]
  /** What emulates the lines, for reports. */
  readonly description: string
  /** How whatever enters a place gets the processor. */
  readonly priority: Priority
  /** Names of the leaves. */
  readonly leaves: readonly string[]
  readonly #strands: readonly Strand[]
  readonly #namespaces: Namespaces
  readonly #emulator: LineEmulator
  readonly #scriptDir: string
  readonly #scope: AsyncDisposableStack

  private constructor(nodeAddresses: readonly [string, ...string[]], strands: readonly Strand[], namespaces: Namespaces, emulator: LineEmulator, priority: Priority, scriptDir: string, scope: AsyncDisposableStack) {
    this.nodeAddress = nodeAddresses[0]
    this.nodeAddresses = nodeAddresses
    this.description = emulator.description
    this.priority = priority
    this.leaves = [...new Set(strands.map(({ leaf }) => leaf))]
    this.#strands = strands
    this.#namespaces = namespaces
    this.#emulator = emulator
    this.#scriptDir = scriptDir
    this.#scope = scope
  }

  /**
   * @throws {RelayFault} `bad_config` for leaves that cannot be; `unavailable` without root, iproute2, ethtool or
   *   a kernel that has what it takes; `timeout`.
   */
  static async open({ leaves, signal, emulator: wanted, seed = 1, isPreferred = false }: EmulatedNetworkOptions): Promise<EmulatedNetwork> {
    const names = Object.keys(leaves)
    const taken = names.find(name => ['node', 'wire', 'emulator'].includes(name))
    if (taken !== undefined) throw new RelayFault('bad_config', `a leaf cannot be called ${taken}`)
    const counts = Object.values(leaves).map(profiles => linesOf(profiles).length)
    const sum = counts.reduce((total, count) => total + count, 0)
    if (names.length === 0 || sum > MOST_LINES.inAll) throw new RelayFault('bad_config', `a network has from 1 to ${MOST_LINES.inAll} lines`)
    if (counts.some(count => count === 0 || count > MOST_LINES.ofLeaf)) throw new RelayFault('bad_config', `a leaf has from 1 to ${MOST_LINES.ofLeaf} lines`)
    signal.throwIfAborted()
    await using scope = new AsyncDisposableStack()
    const namespaces = scope.use(await Namespaces.open(['node', 'wire', 'emulator', ...names]))
    const block = await findFreeBlock()
    const strands = planStrands(block, leaves)
    const further = Array.from({ length: Math.max(...counts) - 1 }, (_, index) => nodeAddressIn(block, index + 1))
    const nodeAddresses = [nodeAddressIn(block, 0), ...further] as const
    for (const address of nodeAddresses) await namespaces.ip('node', 'addr', 'add', `${address}/32`, 'dev', 'lo')
    const isNetem = wanted === 'netem' || (wanted === undefined && (await NetemEmulator.isInKernel(namespaces, 'emulator')))
    await (isNetem ? bridgeLines(namespaces, strands) : tunnelLines(namespaces, strands))
    for (const each of strands) await addressLine(namespaces, each)
    signal.throwIfAborted()
    const emulator = scope.use(
      isNetem
        ? await NetemEmulator.open(namespaces, 'emulator', strands.map(({ index, leaf, line, profile }) => ({ name: lineName(leaf, line), profile, towardsLeaf: `leaf${index}`, towardsNode: `node${index}` })))
        : await UserSpaceEmulator.open({
            enter: namespaces.enter('emulator'), ownAddress: EMULATOR_ADDRESS, wireAddress: WIRE_ADDRESS, seed, signal,
            lines: strands.map(({ index, leaf, line, profile }) => ({ name: lineName(leaf, line), profile, ...vxlanPorts(index) })),
          }),
    )
    scope.defer(await openManagementLink(namespaces, `${block}.2`, nodeAddresses))
    const scriptDir = await mkdtemp(join(tmpdir(), 'kenkyo-lines-'))
    scope.defer(() => rm(scriptDir, { recursive: true, force: true }))
    signal.throwIfAborted()
    return new EmulatedNetwork(nodeAddresses, strands, namespaces, emulator, isPreferred ? highestPriority('place') : NORMAL, scriptDir, scope.move())
  }

  /** Words to put before a command so that it runs in that namespace; `place` is `node` or a leaf's name. @throws {RelayFault} `bad_config` */
  enter(place: string): readonly string[] {
    return [...this.#namespaces.enter(place), ...this.priority.words]
  }

  /** The address by which the node reaches a leaf on one of its lines. @throws {RelayFault} `bad_config` */
  leafAddress(leaf: string, line = 0): string {
    return this.#strand(leaf, line).leafAddress
  }

  /** The address by which a leaf reaches the node on its line of that number. @throws {RelayFault} `bad_config` */
  nodeAddressOf(line: number): string {
    const address = this.nodeAddresses[line]
    if (address === undefined) throw new RelayFault('bad_config', `no leaf has a line ${line}; they have ${this.nodeAddresses.length} at most`)
    return address
  }

  /** Path of an executable script that runs `program` in that namespace; it goes with the network. @throws {RelayFault} `bad_config` */
  async wrapper(place: string, program: string): Promise<string> {
    const path = join(this.#scriptDir, `${place}-${basename(program)}`)
    const words = [...this.enter(place), program].map(word => `'${word.replaceAll("'", String.raw`'\''`)}'`)
    await writeFile(path, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o755 })
    return path
  }

  /** The emulator's own counts of a leaf's line; up = leaf to node. @throws {RelayFault} `bad_config` */
  async counts(leaf: string, line = 0): Promise<BothCounts> {
    this.#strand(leaf, line)
    return await this.#emulator.counts(lineName(leaf, line))
  }

  /** From now on this line to this leaf is another. One that is cut stays cut. @throws {RelayFault} `bad_config` */
  async change(leaf: string, profile: LineProfile, line = 0): Promise<void> {
    this.#strand(leaf, line)
    await this.#emulator.change(lineName(leaf, line), profile)
  }

  /**
   * Cuts a line, or joins it again as it was. What is on its way when it is cut, in either direction, is lost, and so
   * is what comes until it is joined; its ends are told nothing. All that counts as lost.
   *
   * @throws {RelayFault} `bad_config`
   */
  async cut(leaf: string, line: number, isCut: boolean): Promise<void> {
    this.#strand(leaf, line)
    await this.#emulator.cut(lineName(leaf, line), isCut)
  }

  /** Rejects with `unavailable` when the emulator dies; never resolves. */
  get failed(): Promise<never> {
    return this.#emulator.failed
  }

  /** Ends whatever still runs in the namespaces, and leaves nothing behind. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync()
  }

  #strand(leaf: string, line: number): Strand {
    const found = this.#strands.find(each => each.leaf === leaf && each.line === line)
    if (found !== undefined) return found
    if (!this.leaves.includes(leaf)) throw new RelayFault('bad_config', `no line leads to ${JSON.stringify(leaf)}; there are ${this.leaves.join(', ')}`)
    throw new RelayFault('bad_config', `${leaf} has no line ${line}`)
  }
}

/** Three numbers of 198.18.0.0/15 that no interface and no route of the host starts with. */
async function findFreeBlock(): Promise<string> {
  const inUse = `${await runCommand('ip', ['-4', 'addr'])}\n${await runCommand('ip', ['-4', 'route', 'show', 'table', 'all'])}`
  const free = Array.from({ length: 512 }, (_, index) => `198.${18 + (index >> 8)}.${index & 255}`).filter(block => !inUse.includes(`${block}.`))
  const block = free[free.length === 0 ? 0 : randomInt(free.length)]
  if (block === undefined) throw new RelayFault('unavailable', 'no addresses are left in 198.18.0.0/15')
  return block
}

/** From the host to the node, past all lines. @returns What takes it down. */
async function openManagementLink(namespaces: Namespaces, hostAddress: string, [nodeAddress, ...further]: readonly [string, ...string[]]): Promise<() => Promise<void>> {
  const hostLink = managementLinkName(namespaces.runId)
  await runCommand('ip', ['link', 'add', hostLink, 'type', 'veth', 'peer', 'name', 'management', 'netns', namespaces.name('node')])
  await runCommand('ip', ['addr', 'add', `${hostAddress}/32`, 'peer', `${nodeAddress}/32`, 'dev', hostLink])
  await namespaces.ip('node', 'link', 'set', 'management', 'up')
  await runCommand('ip', ['link', 'set', hostLink, 'up'])
  for (const address of further) await runCommand('ip', ['route', 'add', address, 'dev', hostLink, 'src', hostAddress])
  await namespaces.ip('node', 'route', 'add', hostAddress, 'dev', 'management', 'src', nodeAddress)
  return async () => {
    await runCommand('ip', ['link', 'del', hostLink])
  }
}
