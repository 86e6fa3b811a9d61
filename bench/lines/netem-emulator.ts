import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { netemArguments } from './netem-arguments.ts'
import type { LineCounts } from './line-counts.ts'
import type { BothCounts, LineEmulator } from './line-emulator.ts'
import type { Namespaces } from './namespaces.ts'
import type { DirectionProfile, LineProfile } from './profiles.ts'

const ETHERNET_HEADER_BYTES = 14

const Statistics = z.array(z.object({ kind: z.string(), bytes: z.number(), packets: z.number(), drops: z.number() }))

/**
 * What `tc -s -j qdisc show` says of netem, as counts of ours.
 *
 * @throws {RelayFault} `unavailable` when there is no netem in it.
 */
export function parseNetemStatistics(json: string): LineCounts {
  const parsed = Statistics.safeParse(JSON.parse(json))
  const netem = parsed.data?.find(({ kind }) => kind === 'netem')
  if (netem === undefined) throw new RelayFault('unavailable', 'tc shows no netem')
  const { packets: delivered, drops, bytes } = netem
  const deliveredBytes = Math.max(0, bytes - ETHERNET_HEADER_BYTES * delivered)
  return {
    packets: delivered + drops, bytes: deliveredBytes, lost: drops, queueFull: 0, delivered, deliveredBytes,
    overruns: 0, lateness: { meanMillis: 0, p99Millis: 0, longestMillis: 0 },
  }
}

/** The two interfaces in the emulator's namespace whose queues are one line. */
export interface BridgedLine {
  readonly leaf: string
  readonly towardsLeaf: string
  readonly towardsNode: string
  readonly profile: LineProfile
}

/** The kernel's own emulator. Never run: the kernel that this was written on has no netem. */
export class NetemEmulator implements LineEmulator {
  readonly description = 'netem'
  /** The kernel does not die on its own. */
  readonly failed: Promise<never> = new Promise(() => undefined)
  readonly #namespaces: Namespaces
  readonly #place: string
  readonly #lines: ReadonlyMap<string, BridgedLine>

  private constructor(namespaces: Namespaces, place: string, lines: ReadonlyMap<string, BridgedLine>) {
    this.#namespaces = namespaces
    this.#place = place
    this.#lines = lines
  }

  /** Tries it on the loopback interface of a namespace of ours. */
  static async isInKernel(namespaces: Namespaces, place: string): Promise<boolean> {
    try {
      await namespaces.run(place, 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms')
      await namespaces.run(place, 'tc', 'qdisc', 'del', 'dev', 'lo', 'root')
      return true
    } catch (error) {
      if (error instanceof RelayFault) return false
      throw error
    }
  }

  /** @throws {RelayFault} `unavailable` when tc refuses. */
  static async open(namespaces: Namespaces, place: string, lines: readonly BridgedLine[]): Promise<NetemEmulator> {
    const emulator = new NetemEmulator(namespaces, place, new Map(lines.map(line => [line.leaf, line])))
    for (const { leaf, profile } of lines) await emulator.change(leaf, profile)
    return emulator
  }

  async counts(leaf: string): Promise<BothCounts> {
    const { towardsLeaf, towardsNode } = this.#line(leaf)
    const read = async (link: string): Promise<LineCounts> =>
      parseNetemStatistics(await this.#namespaces.run(this.#place, 'tc', '-s', '-j', 'qdisc', 'show', 'dev', link))
    return { up: await read(towardsNode), down: await read(towardsLeaf) }
  }

  async change(leaf: string, profile: LineProfile): Promise<void> {
    const { towardsLeaf, towardsNode } = this.#line(leaf)
    const shape = (link: string, direction: DirectionProfile): Promise<string> =>
      this.#namespaces.run(this.#place, 'tc', 'qdisc', 'replace', 'dev', link, 'root', ...netemArguments(direction))
    await shape(towardsNode, profile.up)
    await shape(towardsLeaf, profile.down)
  }

  /** Its queues go with the namespace. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }

  #line(leaf: string): BridgedLine {
    const line = this.#lines.get(leaf)
    if (line === undefined) throw new RelayFault('bad_config', `no line to ${leaf}`)
    return line
  }
}
