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
  readonly name: string
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
  /** What each line is when it is not cut. */
  readonly #profiles = new Map<string, LineProfile>()
  readonly #cut = new Set<string>()

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
    const emulator = new NetemEmulator(namespaces, place, new Map(lines.map(line => [line.name, line])))
    for (const { name, profile } of lines) await emulator.change(name, profile)
    return emulator
  }

  async counts(line: string): Promise<BothCounts> {
    const { towardsLeaf, towardsNode } = this.#line(line)
    const read = async (link: string): Promise<LineCounts> =>
      parseNetemStatistics(await this.#namespaces.run(this.#place, 'tc', '-s', '-j', 'qdisc', 'show', 'dev', link))
    return { up: await read(towardsNode), down: await read(towardsLeaf) }
  }

  async change(line: string, profile: LineProfile): Promise<void> {
    const { towardsLeaf, towardsNode } = this.#line(line)
    this.#profiles.set(line, profile)
    if (this.#cut.has(line)) return
    const shape = (link: string, direction: DirectionProfile): Promise<string> =>
      this.#namespaces.run(this.#place, 'tc', 'qdisc', 'replace', 'dev', link, 'root', ...netemArguments(direction))
    await shape(towardsNode, profile.up)
    await shape(towardsLeaf, profile.down)
  }

  async cut(line: string, isCut: boolean): Promise<void> {
    const { towardsLeaf, towardsNode, profile } = this.#line(line)
    if (!isCut) {
      this.#cut.delete(line)
      await this.change(line, this.#profiles.get(line) ?? profile)
      return
    }
    this.#cut.add(line)
    for (const link of [towardsNode, towardsLeaf]) {
      // What a queue holds goes with it.
      await this.#namespaces.run(this.#place, 'tc', 'qdisc', 'del', 'dev', link, 'root')
      await this.#namespaces.run(this.#place, 'tc', 'qdisc', 'add', 'dev', link, 'root', 'netem', 'loss', 'random', '100%')
    }
  }

  /** Its queues go with the namespace. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }

  #line(name: string): BridgedLine {
    const line = this.#lines.get(name)
    if (line === undefined) throw new RelayFault('bad_config', `no line is called ${name}`)
    return line
  }
}
