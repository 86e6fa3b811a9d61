import { z } from 'zod'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { ChildProgram } from '../processes.ts'
import { runCommand } from './command.ts'
import { highestPriority } from './priority.ts'
import type { EmulatedNetwork } from './emulated-network.ts'

/** Of IPv4 and UDP. @see RFC 791 section 3.1, RFC 768 */
export const UDP_OVERHEAD_BYTES = 28
const INTERVAL_SECONDS = 0.5
const SOCKET_BUFFER = '4M'
const START_DEADLINE = millis(5000)
const PATIENCE = millis(20_000)
const ATTEMPTS = 4

const Interval = z.object({ seconds: z.number(), bytes: z.number(), lost_packets: z.number(), packets: z.number() })
const Output = z.object({ intervals: z.array(z.object({ sum: Interval })), error: z.string().optional() })

/** What a receiver of iperf3 saw in one half of a second. */
export interface IperfInterval {
  readonly seconds: number
  /** Of UDP payload. */
  readonly bytes: number
  readonly lost: number
  /** Lost ones included. */
  readonly packets: number
}

/** What `iperf3 --json` says as a receiver of UDP. @throws {RelayFault} `unavailable` when it says anything else. */
export function parseIperf(json: string): IperfInterval[] {
  const result = Output.safeParse(JSON.parse(json))
  if (!result.success) throw new RelayFault('unavailable', `iperf3 wrote something else: ${z.prettifyError(result.error)}`)
  if (result.data.error !== undefined) throw new RelayFault('unavailable', `iperf3: ${result.data.error}`)
  return result.data.intervals.map(({ sum }) => ({ seconds: sum.seconds, bytes: sum.bytes, lost: sum.lost_packets, packets: sum.packets }))
}

/** What is sent. */
export interface IperfOptions {
  readonly direction: 'up' | 'down'
  /** Of UDP payload. */
  readonly bitsPerSecond: number
  readonly payloadBytes: number
  readonly seconds: number
  readonly signal: AbortSignal
}

/**
 * Sends UDP over a line and returns what came, by interval, without the first and the last, which are not whole.
 * The client is always at the receiving end, where iperf3 tells most. iperf3 agrees on a test over the line that
 * it is to measure, and may fail at that when the line loses packets; it is asked again then.
 *
 * @throws {RelayFault} `unavailable` or `timeout`.
 */
export async function iperf(network: EmulatedNetwork, leaf: string, options: IperfOptions): Promise<IperfInterval[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await runOnce(network, leaf, options)
    } catch (error) {
      if (!(error instanceof RelayFault) || attempt === ATTEMPTS || options.signal.aborted) throw error
    }
  }
}

async function runOnce(network: EmulatedNetwork, leaf: string, options: IperfOptions): Promise<IperfInterval[]> {
  const { direction, bitsPerSecond, payloadBytes, seconds, signal } = options
  const [sender, receiver, address] = direction === 'up' ? [leaf, 'node', network.leafAddress(leaf)] : ['node', leaf, network.nodeAddress]
  const { words } = highestPriority('tool')
  await using server = await ChildProgram.start({
    name: 'iperf3 server', command: 'iperf3', args: ['--server', '--one-off', '--forceflush'], enter: [...network.enter(sender), ...words],
  })
  await server.line(line => (line.startsWith('Server listening') ? true : undefined), START_DEADLINE, signal)
  const [command, ...args] = [
    ...network.enter(receiver), ...words,
    'iperf3', '--client', address, '--connect-timeout', '5000', '--udp', '--reverse', '--json', '--window', SOCKET_BUFFER,
    '--bitrate', String(Math.round(bitsPerSecond)), '--length', String(payloadBytes), '--time', String(seconds), '--interval', String(INTERVAL_SECONDS),
  ]
  const output = await runCommand(command, args, { signal, deadline: millis(seconds * 1000 + PATIENCE) })
  return parseIperf(output).slice(1, -1)
}
