import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { RelayFault } from '../../relay/wire/fault.ts'
import { runCommand } from './command.ts'

/** Where `ip netns` keeps what it named. @see ip-netns(8) */
const NAMED = '/run/netns'
/** `kenkyo-<pid>-<random>-<place>`. */
const OURS = /^kenkyo-(\d+)-([0-9a-f]{6})-[a-z0-9-]+$/
/** Our end of the management link, in the host's namespace; an interface's name has no room for more. */
const LINK_PREFIX = 'kenkyo'
const LINKS = '/sys/class/net'
const OUR_LINK = /^kenkyo-[0-9a-f]{6}$/

/** Every network namespace that one network is made of. They go when it is disposed, and when this process ends. */
export class Namespaces implements AsyncDisposable {
  /** Six hexadecimal digits that no other run has. */
  readonly runId: string
  readonly #names: ReadonlyMap<string, string>
  readonly #scope: AsyncDisposableStack

  private constructor(runId: string, names: ReadonlyMap<string, string>, scope: AsyncDisposableStack) {
    this.runId = runId
    this.#names = names
    this.#scope = scope
  }

  /**
   * Sweeps what dead processes left behind, and makes one namespace per place: loopback up, no IPv6, so that
   * nothing is on a line but what a program sent.
   *
   * @throws {RelayFault} `bad_config` for a place that cannot be a name; `unavailable` without root, iproute2,
   *   ethtool, or a kernel that allows it.
   */
  static async open(places: readonly string[]): Promise<Namespaces> {
    const bad = places.find(place => !/^[a-z][a-z0-9-]{0,20}$/.test(place))
    if (bad !== undefined) throw new RelayFault('bad_config', `a place cannot be called ${JSON.stringify(bad)}: letters, digits and hyphens in lower case`)
    refuseWithoutMeans()
    await sweepNamespaces()
    const runId = randomBytes(3).toString('hex')
    const names = new Map(places.map(place => [place, `kenkyo-${process.pid}-${runId}-${place}`]))
    await using scope = new AsyncDisposableStack()
    scope.defer(removeOnExit([...names.values()], managementLinkName(runId)))
    for (const name of names.values()) {
      await runCommand('ip', ['netns', 'add', name])
      scope.defer(() => removeNamespace(name))
      await runCommand('ip', ['netns', 'exec', name, 'sh', '-c', 'ip link set lo up; for f in all default; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6; echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; done 2>/dev/null || true'])
    }
    return new Namespaces(runId, names, scope.move())
  }

  /** The name that `ip netns` knows a place by. @throws {RelayFault} `bad_config` for a place that is none. */
  name(place: string): string {
    const name = this.#names.get(place)
    if (name === undefined) throw new RelayFault('bad_config', `there is no place called ${JSON.stringify(place)}; there are ${[...this.#names.keys()].join(', ')}`)
    return name
  }

  /** Words to put before a command so that it runs there. */
  enter(place: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.name(place)]
  }

  /** `ip` in that namespace, without entering it. */
  ip(place: string, ...args: readonly string[]): Promise<string> {
    return runCommand('ip', ['-n', this.name(place), ...args])
  }

  /** Runs a command there. */
  run(place: string, command: string, ...args: readonly string[]): Promise<string> {
    return runCommand('ip', ['netns', 'exec', this.name(place), command, ...args])
  }

  /** Segmentation and checksums happen in the stack: a packet that an emulator sees is one that a wire would have. */
  async disableOffloads(place: string, link: string): Promise<void> {
    await this.run(place, 'ethtool', '-K', link, 'tx', 'off', 'sg', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off')
  }

  /** Ends whatever still runs in them, and removes them. Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync()
  }
}

function refuseWithoutMeans(): void {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) throw new RelayFault('unavailable', 'emulated lines are made of network namespaces, which takes Linux and root')
  if (spawnSync('ip', ['-Version']).status !== 0) throw new RelayFault('unavailable', 'emulated lines need ip, of the Debian package iproute2')
  if (spawnSync('ethtool', ['--version']).status !== 0) throw new RelayFault('unavailable', 'emulated lines need ethtool, of the Debian package ethtool')
}

/** Ends what runs in a namespace, and removes it. One that is gone already is fine. */
export async function removeNamespace(name: string): Promise<void> {
  if (!existsSync(`${NAMED}/${name}`)) return
  endProcesses(name)
  await runCommand('ip', ['netns', 'del', name])
}

/** Only processes inside a namespace that is ours by its name are ended, each by its id. */
function endProcesses(name: string): void {
  const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' })
  for (const pid of stdout.split('\n').filter(line => /^\d+$/.test(line))) spawnSync('kill', ['-KILL', pid])
}

/** Removes the namespaces of processes that no longer run. @returns Their names. */
export async function sweepNamespaces(): Promise<readonly string[]> {
  const abandoned = await abandonedNamespaces()
  for (const name of abandoned) {
    await removeNamespace(name)
    process.stderr.write(`removed the namespace ${name}, which a run that was killed had left\n`)
  }
  return abandoned
}

/** Namespaces of ours whose process no longer runs. */
export async function abandonedNamespaces(): Promise<readonly string[]> {
  return (await ourNamespaces()).filter(({ pid }) => !existsSync(`/proc/${pid}`)).map(({ name }) => name)
}

/** Management links of ours of which no namespace is left. */
export async function abandonedLinks(): Promise<readonly string[]> {
  const links = existsSync(LINKS) ? (await readdir(LINKS)).filter(name => OUR_LINK.test(name)) : []
  const runs = new Set((await ourNamespaces()).map(({ runId }) => runId))
  return links.filter(name => !runs.has(name.slice(LINK_PREFIX.length + 1)))
}

/** Removes a management link. One that is gone already is fine. */
export async function removeLink(name: string): Promise<void> {
  if (existsSync(`${LINKS}/${name}`)) await runCommand('ip', ['link', 'del', name])
}

async function ourNamespaces(): Promise<{ readonly name: string; readonly pid: string; readonly runId: string }[]> {
  if (!existsSync(NAMED)) return []
  return (await readdir(NAMED)).flatMap(name => {
    const [, pid, runId] = OURS.exec(name) ?? []
    return pid === undefined || runId === undefined ? [] : [{ name, pid, runId }]
  })
}

/**
 * Removes the namespaces when this process ends by itself, by an exception, or by a signal that nothing else
 * listens to; whoever listens to one is expected to dispose of the network.
 *
 * @returns What stops it.
 */
function removeOnExit(names: readonly string[], managementLink: string): () => void {
  const remove = (): void => {
    // It would go with the namespace of its other end, but later.
    if (existsSync(`/sys/class/net/${managementLink}`)) spawnSync('ip', ['link', 'del', managementLink])
    for (const name of names.filter(each => existsSync(`${NAMED}/${each}`))) {
      endProcesses(name)
      spawnSync('ip', ['netns', 'del', name])
    }
  }
  const onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return
    remove()
    process.removeListener(signal, onSignal)
    process.kill(process.pid, signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  process.once('exit', remove)
  for (const signal of signals) process.on(signal, onSignal)
  return () => {
    process.removeListener('exit', remove)
    for (const signal of signals) process.removeListener(signal, onSignal)
  }
}

/** The name of our end of the management link. */
export const managementLinkName = (runId: string): string => `${LINK_PREFIX}-${runId}`
