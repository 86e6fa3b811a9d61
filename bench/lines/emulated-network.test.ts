import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import { t } from 'tap'
import { RelayFault } from '../../relay/wire/fault.ts'
import { EmulatedNetwork } from './emulated-network.ts'
import { symmetricLine } from './profiles.ts'

const run = promisify(execFile)
const { signal } = new AbortController()
const line = symmetricLine({ roundTripMillis: 10 })

/** Why no namespaces can be had here; false when they can. */
function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'needs root'
  const name = `kenkyo-${process.pid}-000000-probe`
  const probe = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
  spawnSync('ip', ['netns', 'del', name])
  if (probe.status !== 0) return `no network namespaces: ${probe.stderr || 'no ip'}`
  return ['ping', 'ethtool'].some(tool => spawnSync(tool, ['-V']).error !== undefined) ? 'needs ping and ethtool' : false
}

const skip = reasonToSkip()

const inNamespace = async (network: EmulatedNetwork, place: string, command: string, ...args: string[]): Promise<string> => {
  const [enter = '', ...rest] = network.enter(place)
  return (await run(enter, [...rest, command, ...args])).stdout
}

const ping = async (network: EmulatedNetwork, leaf: string, of = 0): Promise<number> => {
  const text = await inNamespace(network, leaf, 'ping', '-q', '-c', '40', '-i', '0.01', network.nodeAddressOf(of))
  return Number(/= [\d.]+\/([\d.]+)\//.exec(text)?.[1])
}

/** What could be left behind by a process: its namespaces, links to them, and the emulators it started. */
function leftBy(pid: number): string[] {
  const namespaces = existsSync('/run/netns') ? readdirSync('/run/netns').filter(name => name.startsWith(`kenkyo-${pid}-`)) : []
  const emulators = spawnSync('ps', ['-o', 'args=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout.split('\n').filter(args => args.includes('emulator-main'))
  return [...namespaces, ...emulators]
}

const links = (): string[] => readdirSync('/sys/class/net').filter(name => name.startsWith('kenkyo-'))

t.test('joins leaves to the node by lines of their own, and leaves nothing behind', { skip }, async t => {
  const linksBefore = links()
  {
    await using network = await EmulatedNetwork.open({ leaves: { microscope: line, viewer: symmetricLine({ roundTripMillis: 30 }) }, signal, emulator: 'user-space' })
    const [near, far] = [await ping(network, 'microscope'), await ping(network, 'viewer')]
    t.ok(near >= 10 && near < 14, `${near} ms`)
    t.ok(far >= 30 && far < 34, `${far} ms`)
    t.match(await network.counts('viewer'), { up: { packets: 40, bytes: 40 * 84, lost: 0, delivered: 40, overruns: 0 }, down: { packets: 40 } })

    const script = await network.wrapper('viewer', 'ip')
    t.match((await run(script, ['-brief', 'addr'])).stdout, /line0\S*\s+\S+\s+198\.1[89]\./)
    t.equal((await run('ping', ['-c', '1', network.nodeAddress])).stdout.includes(' 0% packet loss'), true, 'the host reaches the node')
    await t.rejects(inNamespace(network, 'viewer', 'ping', '-c', '1', '-W', '1', '192.0.2.2'), 'a leaf reaches nothing else')

    await network.change('viewer', symmetricLine({ roundTripMillis: 0, lossRatio: 1 }))
    await t.rejects(inNamespace(network, 'viewer', 'ping', '-c', '2', '-i', '0.01', '-W', '1', network.nodeAddress))
    t.match(await network.counts('viewer'), { up: { lost: 2 } })

    await t.rejects(network.counts('elsewhere'), { code: 'bad_config' })
    t.throws(() => network.enter('elsewhere'), { code: 'bad_config' })

    const [enter = '', ...rest] = network.enter('viewer')
    const straggler = spawn(enter, [...rest, 'sleep', '600'])
    t.teardown(() => straggler.kill('SIGKILL'))
    await once(straggler, 'spawn')
  }
  t.same(leftBy(process.pid), [])
  t.same(links().filter(link => !linksBefore.includes(link)), [])
})

t.test('joins a leaf by two lines, and cuts one of them', { skip }, async t => {
  await using network = await EmulatedNetwork.open({ leaves: { viewer: line, microscope: [line, symmetricLine({ roundTripMillis: 30 })] }, signal, emulator: 'user-space' })
  t.not(network.nodeAddressOf(1), network.nodeAddress)
  t.not(network.leafAddress('microscope', 1), network.leafAddress('microscope'))
  const [first, second] = [await ping(network, 'microscope'), await ping(network, 'microscope', 1)]
  t.ok(first >= 10 && first < 14, `${first} ms`)
  t.ok(second >= 30 && second < 34, `${second} ms`)
  t.match(await network.counts('microscope', 1), { up: { delivered: 40 }, down: { delivered: 40 } }, 'what comes by a line goes back by it')
  const down = (of: number): Promise<string> => inNamespace(network, 'node', 'ping', '-c', '2', '-i', '0.01', '-W', '1', network.leafAddress('microscope', of))
  await down(1)
  t.match(await network.counts('microscope'), { up: { packets: 40 }, down: { packets: 40 } })
  t.match(await network.counts('viewer'), { up: { packets: 0 } })

  await network.cut('microscope', 1, true)
  await t.rejects(down(1))
  await down(0)
  t.match(await network.counts('microscope', 1), { down: { packets: 44, lost: 2, delivered: 42 } })
  await network.change('microscope', line, 1)
  await t.rejects(down(1), 'a cut line stays cut when it changes')
  await network.cut('microscope', 1, false)
  const joined = await ping(network, 'microscope', 1)
  t.ok(joined >= 10 && joined < 14, `${joined} ms`)

  t.equal((await run('ping', ['-c', '1', network.nodeAddressOf(1)])).stdout.includes(' 0% packet loss'), true, 'the host reaches the node by either address')
  t.throws(() => network.nodeAddressOf(2), { code: 'bad_config' })
  t.throws(() => network.leafAddress('viewer', 1), { code: 'bad_config' })
  await t.rejects(network.cut('microscope', 2, true), { code: 'bad_config' })
})

t.test('lets what enters a place come before other work', { skip }, async t => {
  await using network = await EmulatedNetwork.open({ leaves: { viewer: line }, signal, emulator: 'user-space', isPreferred: true })
  const stat = await inNamespace(network, 'viewer', 'cat', '/proc/self/stat')
  // The 41st field is the policy, and 2 is SCHED_RR. @see proc(5), sched(7)
  t.equal(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38], network.priority.name === 'realtime' ? '2' : '0')
  t.ok(await ping(network, 'viewer') < 14)
})

t.test('says when its emulator has died', { skip }, async t => {
  await using network = await EmulatedNetwork.open({ leaves: { microscope: line }, signal, emulator: 'user-space' })
  const [, , , emulatorOf = ''] = network.enter('microscope')
  const { stdout } = await run('ip', ['netns', 'pids', emulatorOf.replace(/microscope$/, 'emulator')])
  process.kill(Number(stdout.trim()), 'SIGKILL')
  await t.rejects(network.failed, { code: 'unavailable', message: /line emulator/ })
})

t.test('refuses leaves that cannot be', { skip }, async t => {
  const open = (leaves: Record<string, typeof line | (typeof line)[]>): Promise<EmulatedNetwork> => EmulatedNetwork.open({ leaves, signal })
  for (const name of ['node', 'emulator', 'Bad Name', '../x']) await t.rejects(open({ [name]: line }), { code: 'bad_config' })
  await t.rejects(open({}), { code: 'bad_config' })
  await t.rejects(open({ microscope: [] }), { code: 'bad_config' })
  await t.rejects(open({ microscope: Array(9).fill(line) as (typeof line)[] }), { code: 'bad_config' })
  await t.rejects(EmulatedNetwork.open({ leaves: { microscope: line }, signal: AbortSignal.abort(new RelayFault('unavailable', 'enough')) }), { message: 'enough' })
  t.same(leftBy(process.pid), [])
})

t.test('sweeps what a process left that was killed, and cleans up when one is told to end', { skip }, async t => {
  const program = `
    const { EmulatedNetwork } = await import(${JSON.stringify(new URL('emulated-network.ts', import.meta.url).href)})
    const { symmetricLine } = await import(${JSON.stringify(new URL('profiles.ts', import.meta.url).href)})
    await EmulatedNetwork.open({ leaves: { viewer: symmetricLine({ roundTripMillis: 1 }) }, signal: new AbortController().signal, emulator: 'user-space' })
    process.stdout.write('up')
    setInterval(() => undefined, 1000)`
  const start = async () => {
    // Without what tap puts into every Node program: that listens to signals as well.
    const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, '--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    return { child, pid: child.pid ?? 0, exited: once(child, 'exit') }
  }
  const [told, killed] = await Promise.all([start(), start()])
  told.child.kill('SIGTERM')
  t.same(await told.exited, [null, 'SIGTERM'])
  t.same(leftBy(told.pid), [])
  killed.child.kill('SIGKILL')
  await killed.exited
  t.not(leftBy(killed.pid).length, 0)
  await using _network = await EmulatedNetwork.open({ leaves: { viewer: line }, signal, emulator: 'user-space' })
  t.same(leftBy(killed.pid), [])
})
