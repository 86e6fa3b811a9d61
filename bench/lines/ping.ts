import { millis } from '../../relay/wire/units.ts'
import { runCommand } from './command.ts'
import { highestPriority } from './priority.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { EmulatedNetwork } from './emulated-network.ts'

/** One echo request as an IP packet, as ping sends it by default. @see RFC 792 */
export const PING_BYTES = 84
const INTERVAL = millis(5)

/** The round trips that `ping` prints, in milliseconds, as precisely as it prints them (0.1 ms from 10 ms on). */
export function parsePing(output: string): number[] {
  return [...output.matchAll(/ time=([\d.]+) ms/g)].map(match => Number(match[1]))
}

/** Pings the node from a leaf, every 5 ms or as told. @returns Each round trip that was completed. @throws {RelayFault} `unavailable`, also when none was. */
export async function ping(network: EmulatedNetwork, leaf: string, count: number, signal: AbortSignal, interval = INTERVAL): Promise<Millis[]> {
  const [command, ...args] = [...network.enter(leaf), ...highestPriority('tool').words, 'ping', '-n', '-i', String(interval / 1000), '-c', String(count), '-W', '2', network.nodeAddress]
  return parsePing(await runCommand(command, args, { signal, deadline: millis(count * interval * 2 + 20_000) })).map(millis)
}
