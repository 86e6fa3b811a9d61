import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { millis } from '../../relay/wire/units.ts'
import { runCommand } from '../lines/command.ts'
import { ChildProgram } from '../processes.ts'
import { bytesIn } from './slide-transfer.ts'
import type { EmulatedNetwork } from '../lines/emulated-network.ts'
import type { SlideTransfer } from './slide-transfer.ts'

/** Programs that bring a file over a line, by what they are called in figures. */
export const PEERS = ['rsync', 'curl', 'rclone', 'aria2'] as const
export type Peer = (typeof PEERS)[number]

/** The Debian package that has each, and its program. */
const PROGRAMS: Readonly<Record<Peer, readonly string[]>> = { rsync: ['rsync'], curl: ['curl', 'rclone'], rclone: ['rclone'], aria2: ['aria2c', 'rclone'] }

const PORT = 20_701
const START_DEADLINE = millis(10_000)
/** rclone sends whole files, several at once. */
const PIECES = 32
const CONNECTIONS = 16

/** What a peer lacks to run here; undefined when nothing. */
export const lackOf = (peer: Peer): string | undefined => PROGRAMS[peer].find(program => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0)

/** What is sent, and where. */
export interface PeerOptions {
  readonly network: EmulatedNetwork
  readonly leaf: string
  readonly file: string
  /** The same bytes in {@link PIECES} files; made by {@link cutFile}. */
  readonly pieces: string
  /** Empty, for what arrives and for settings. */
  readonly directory: string
  readonly signal: AbortSignal
}

/** Cuts a file for those who send whole files. @returns The directory of the pieces. */
export async function cutFile(file: string): Promise<string> {
  const pieces = join(dirname(file), 'pieces')
  await mkdir(pieces)
  await runCommand('split', ['--number', String(PIECES), file, join(pieces, 'piece-')])
  return pieces
}

/** Starts a peer: its server where what is sent begins or ends, and the program that ends with the transfer. */
export async function startPeer(peer: Peer, options: PeerOptions): Promise<SlideTransfer> {
  const { network, leaf, file, pieces, directory, signal } = options
  const arrived = join(directory, 'arrived')
  await mkdir(arrived)
  const [node, sender] = [network.nodeAddress, network.leafAddress(leaf)]
  await using scope = new AsyncDisposableStack()
  const server = async (place: string, address: string, command: string, args: readonly string[]): Promise<void> => {
    const program = scope.use(await ChildProgram.start({ name: `${peer} server`, command, args, enter: network.enter(place) }))
    await program.until(listening(network, place, address, signal), START_DEADLINE, signal)
  }
  const client = async (place: string, command: string, args: readonly string[]): Promise<SlideTransfer> => {
    const program = scope.use(await ChildProgram.start({ name: peer, command, args, enter: network.enter(place) }))
    const own = scope.move()
    return { program, bytesThere: () => bytesIn(arrived), [Symbol.asyncDispose]: () => own.disposeAsync() }
  }
  const webdav = (): Promise<void> => server('node', node, 'rclone', ['serve', 'webdav', arrived, '--addr', `${node}:${PORT}`, '--config', join(directory, 'rclone.conf')])
  switch (peer) {
    case 'rsync': {
      const config = join(directory, 'rsyncd.conf')
      await writeFile(config, `use chroot = no\nuid = root\ngid = root\nlog file = ${join(directory, 'rsyncd.log')}\n[slides]\npath = ${arrived}\nread only = no\n`)
      await server('node', node, 'rsync', ['--daemon', '--no-detach', '--config', config, '--address', node, '--port', String(PORT)])
      return await client(leaf, 'rsync', ['--whole-file', file, `rsync://${node}:${PORT}/slides/`])
    }
    case 'curl':
      await webdav()
      return await client(leaf, 'curl', ['--silent', '--show-error', '--fail', '--upload-file', file, `http://${node}:${PORT}/${basename(file)}`])
    case 'rclone':
      await webdav()
      return await client(leaf, 'rclone', ['copy', pieces, ':webdav:', '--webdav-url', `http://${node}:${PORT}`, '--transfers', String(CONNECTIONS), '--config', join(directory, 'rclone.conf')])
    case 'aria2':
      await server(leaf, sender, 'rclone', ['serve', 'http', dirname(file), '--addr', `${sender}:${PORT}`, '--config', join(directory, 'rclone.conf')])
      return await client('node', 'aria2c', ['--quiet', '--file-allocation=none', '--min-split-size=1M', `--split=${CONNECTIONS}`, `--max-connection-per-server=${CONNECTIONS}`, '--dir', arrived, `http://${sender}:${PORT}/${basename(file)}`])
    default:
      return peer satisfies never
  }
}

/** Waits until somebody listens: not every server says so. */
async function listening(network: EmulatedNetwork, place: string, address: string, signal: AbortSignal): Promise<void> {
  const [enter = '', ...rest] = network.enter(place)
  await runCommand(enter, [...rest, 'bash', '-c', `until (: > /dev/tcp/${address}/${PORT}) 2> /dev/null; do sleep 0.1; done`], { signal, deadline: START_DEADLINE })
}

/**
 * From now on TCP between a leaf and the node uses this congestion control unless it asks for another one. It is set on
 * the routes: what a namespace may be set to is limited by the host.
 */
export async function chooseTcp(network: EmulatedNetwork, leaf: string, control: string): Promise<void> {
  for (const [place, far] of [['node', network.leafAddress(leaf)], [leaf, network.nodeAddress]] as const) {
    const [enter = '', ...rest] = network.enter(place)
    await runCommand(enter, [...rest, 'sh', '-c', `ip route change $(ip route show ${far}) congctl ${control}`])
  }
}

/** Whether this kernel has BBR. */
export const hasBbr = (): boolean => {
  spawnSync('modprobe', ['tcp_bbr'])
  return readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').split(/\s/).includes('bbr')
}

/** Bits per second of eight parallel TCP connections from memory to memory, handshakes and slow start left out. */
export async function parallelTcp({ network, leaf, control, seconds, signal }: { readonly network: EmulatedNetwork; readonly leaf: string; readonly control: 'bbr' | 'cubic'; readonly seconds: number; readonly signal: AbortSignal }): Promise<number> {
  await using server = await ChildProgram.start({ name: 'iperf3 server', command: 'iperf3', args: ['--server', '--one-off', '--forceflush', '--port', String(PORT)], enter: network.enter('node') })
  await server.line(line => (line.startsWith('Server listening') ? true : undefined), START_DEADLINE, signal)
  const [enter, ...rest] = network.enter(leaf)
  const args = [
    ...rest, 'iperf3', '--client', network.nodeAddress, '--port', String(PORT), '--parallel', '8', '--congestion', control,
    '--time', String(seconds), '--omit', '3', '--json',
  ]
  const output = JSON.parse(await runCommand(enter ?? 'iperf3', args, { signal, deadline: millis((seconds + 40) * 1000) })) as { readonly end?: { readonly sum_received?: { readonly bits_per_second?: number } } }
  return output.end?.sum_received?.bits_per_second ?? 0
}
