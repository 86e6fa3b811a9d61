import { runCommand } from '../../bench/lines/command.ts'
import type { EmulatedNetwork } from '../../bench/lines/emulated-network.ts'

/** What a firewall dropped. */
export interface DroppedPackets {
  readonly udp: number
  readonly tcp: number
}

/**
 * A hospital's firewall between one leaf and the node: connections to these TCP ports pass, and nothing else does.
 * Without ports, all of TCP passes. Nobody is told of what is dropped. It goes with the network.
 */
export class Firewall {
  readonly #table: string
  readonly #run: (...args: readonly string[]) => Promise<string>

  private constructor(table: string, run: (...args: readonly string[]) => Promise<string>) {
    this.#table = table
    this.#run = run
  }

  /** @throws {RelayFault} `unavailable` without nft or a kernel that has it. */
  static async open(network: EmulatedNetwork, leaf: string, tcpPorts: readonly number[]): Promise<Firewall> {
    const [command = '', ...enter] = network.enter('node')
    const table = `hospital-${leaf}`
    const firewall = new Firewall(table, (...args) => runCommand(command, [...enter, 'nft', ...args]))
    const from = ['ip', 'saddr', network.leafAddress(leaf)]
    await firewall.#run('add', 'table', 'ip', table)
    await firewall.#run('add', 'chain', 'ip', table, 'out', '{ type filter hook prerouting priority 0 ; }')
    await firewall.#run('add', 'rule', 'ip', table, 'out', ...from, 'meta', 'l4proto', 'udp', 'counter', 'drop')
    if (tcpPorts.length > 0) await firewall.#run('add', 'rule', 'ip', table, 'out', ...from, 'tcp', 'dport', '!=', `{ ${tcpPorts.join(', ')} }`, 'counter', 'drop')
    return firewall
  }

  /** What it dropped until now. */
  async dropped(): Promise<DroppedPackets> {
    const rules = await this.#run('list', 'table', 'ip', this.#table)
    const of = (rule: RegExp): number => Number(rule.exec(rules)?.[1] ?? 0)
    return { udp: of(/l4proto udp counter packets (\d+)/), tcp: of(/dport.*counter packets (\d+)/) }
  }
}
