/**
 * A hospital, the platform and a university, each in a network namespace of its own: machines join by the ceremony of
 * `docs/JOINING.md`, a microscope and a scanner send, somebody elsewhere watches, and nothing goes over either line
 * that is not on the list.
 */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'tap'
import { Namespaces } from '../../bench/lines/namespaces.ts'
import { PacketCapture } from '../../bench/observers/packet-capture.ts'
import { forEachPacket, IP_PROTOCOL } from '../../bench/observers/pcap.ts'
import { ChildProgram } from '../../bench/processes.ts'
import { SMALL_SLIDE, writeSyntheticSlide } from '../../bench/slides/synthetic-slide.ts'
import { millis } from '../../relay/wire/units.ts'
import type { RegistryContents } from '../../relay/access/registry/registry.ts'

t.setTimeout(360_000)

const KENKYO = join(import.meta.dirname, '../../scripts/kenkyo.ts')
const VIEWER = join(import.meta.dirname, '../harness/university-viewer-main.ts')
const READING_WORDS_PER_MINUTE = 200
/** The platform's own address, at the other end of each facility's line. @see RFC 2544 appendix C.2.2 */
const PLATFORM = '198.18.0.1'
const PORT = { core: 7640, operators: 7641, pages: 7680, members: 7681, media: 7690 }
const PATTERN = ['--source', 'pattern', '--width', '640', '--height', '360', '--columns', '1', '--rows', '1', '--overview-width', '320', '--frames-per-second', '5']
const DEADLINE = millis(60_000)
const never = new AbortController().signal

/** What a ping to the other facility is called below. */
const ATTEMPT = 'icmp to the other facility'

const addressOf = (text: string): number => text.split('.').reduce((all, part) => all * 256 + Number(part), 0)

/** Three places: each facility has a line to the platform, and none to the other. */
async function openPlaces(scope: AsyncDisposableStack): Promise<Namespaces> {
  const places = scope.use(await Namespaces.open(['hospital', 'platform', 'university']))
  await places.ip('platform', 'address', 'add', `${PLATFORM}/32`, 'dev', 'lo')
  for (const [index, facility] of ['hospital', 'university'].entries()) {
    await places.ip('platform', 'link', 'add', `to-${facility}`, 'type', 'veth', 'peer', 'name', 'uplink', 'netns', places.name(facility))
    await places.ip('platform', 'address', 'add', `198.18.${index + 1}.1/24`, 'dev', `to-${facility}`)
    await places.ip('platform', 'link', 'set', `to-${facility}`, 'up')
    await places.ip(facility, 'address', 'add', `198.18.${index + 1}.2/24`, 'dev', 'uplink')
    await places.ip(facility, 'link', 'set', 'uplink', 'up')
    await places.ip(facility, 'route', 'add', 'default', 'via', `198.18.${index + 1}.1`)
  }
  for (const place of ['hospital', 'platform', 'university']) {
    // What `ip netns exec` puts in the place of the host's. @see ip-netns(8)
    const folder = join('/etc/netns', places.name(place))
    scope.defer(() => rm(folder, { recursive: true, force: true }))
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'hosts'), `127.0.0.1 localhost\n${PLATFORM} core.example node.example\n`)
  }
  return places
}

t.test('three facilities: the ceremony, a case, and nothing on the lines but what is allowed', { skip: process.getuid?.() === 0 ? false : 'network namespaces need root' }, async t => {
  const scope = new AsyncDisposableStack()
  t.teardown(() => scope.disposeAsync())
  const places = await openPlaces(scope)
  const folder = t.testdir({})
  const at = (...names: string[]): string => join(folder, ...names)
  const kenkyo = (place: string, ...args: string[]): Promise<string> => places.run(place, process.execPath, KENKYO, ...args)
  const start = async (place: string, name: string, ...args: string[]): Promise<ChildProgram> => scope.use(await ChildProgram.start({ name, command: process.execPath, args, enter: places.enter(place) }))
  const captures = { hospital: scope.use(await PacketCapture.open(places, 'hospital', 'uplink', at('hospital.pcap'), never)), university: scope.use(await PacketCapture.open(places, 'university', 'uplink', at('university.pcap'), never)) }

  // The platform's operator.
  const coreState = ['--state-dir', at('core'), '--operator-port', String(PORT.operators)]
  await kenkyo('hospital', 'consent', 'test-card', '--authority', at('cards.pem'), '--out', at('patient.pem'))
  const core = await start('platform', 'core', KENKYO, 'core', 'run', ...coreState, '--listen-host', PLATFORM, '--host-names', 'core.example', '--card-ca-file', at('cards.pem.crt'))
  await core.line(line => line.includes('ready') || undefined, DEADLINE, never)

  // The ceremony, by the commands that the document gives.
  const began = performance.now()
  const joinPlatform = async (place: string, facility: string, machine: string, ...kind: string[]): Promise<void> => {
    const asked = await kenkyo(place, 'facility', 'request', '--facility', facility, '--node', machine, '--folder', at(machine), ...kind)
    await copyFile(at(machine, 'request.json'), at('core', 'requests', `${machine}.json`))
    const readOut = /^[0-9a-f]{64}$/m.exec(asked)?.[0] ?? ''
    t.match(await kenkyo('platform', 'facility', 'pending', ...coreState), readOut, `${machine}: both have the same number`)
    const approved = await kenkyo('platform', 'facility', 'approve', readOut, '--facility-name', facility, ...coreState)
    await copyFile(at('core', 'answers', `${readOut}.json`), at(`${machine}.answer.json`))
    t.match(await kenkyo(place, 'facility', 'fetch', at(`${machine}.answer.json`), '--folder', at(machine), '--root', /^[0-9a-f]{64}$/m.exec(approved)?.[0] ?? ''), 'has joined')
  }
  await joinPlatform('platform', 'centre', 'centre-node', '--host-names', 'node.example')
  await joinPlatform('hospital', 'hospital', 'microscope', '--kind', 'agent')
  await joinPlatform('hospital', 'hospital', 'scanner', '--kind', 'agent')
  const ceremonySeconds = (performance.now() - began) / 1000

  // Whoever watches, and the lines, as the operator enters them.
  const { facilities, nodes, services, revokedCertificates } = JSON.parse(await kenkyo('platform', 'core', 'registry', 'show', ...coreState)) as RegistryContents
  const link = (name: string, facility: string) => ({ name, class: 'sinet', between: ['centre', facility], bitsPerSecond: 1_000_000_000, status: 'active' })
  await writeFile(at('registry.json'), JSON.stringify({
    facilities: [...facilities, { id: 'university', displayName: 'University', status: 'active' }], nodes, services, revokedCertificates,
    links: [link('to-hospital', 'hospital'), link('to-university', 'university')],
    practitioners: [{ id: 'dr-u', facilityId: 'university', role: 'pathologist', displayName: 'Dr U', status: 'active' }],
  }))
  await kenkyo('platform', 'core', 'registry', 'apply', at('registry.json'), ...coreState)

  const nodeFlags = ['--state-dir', at('node'), '--listen-host', PLATFORM, '--public-origin', `https://node.example:${PORT.pages}`, '--tls-cert-file', at('centre-node', 'node.pem'), '--tls-key-file', at('centre-node', 'node-key.pem')]
  const node = await start('platform', 'node', KENKYO, 'node', ...nodeFlags, '--workers', '1', '--rtc-listen-ip', PLATFORM, '--core-url', `https://core.example:${PORT.core}`,
    '--node-cert-file', at('centre-node', 'node.pem'), '--node-key-file', at('centre-node', 'node-key.pem'), '--platform-ca-file', at('centre-node', 'platform-ca.pem'), '--registry-key-file', at('core', 'registry-key.pub.json'), '--allow-ticket-sign-in', 'true')
  await node.line(line => line.includes('node is ready') || undefined, DEADLINE, never)

  // A case of the hospital, with the patient's consent at its desk.
  const desk = ['--folder', at('microscope'), '--core', `https://core.example:${PORT.core}`]
  await kenkyo('hospital', 'consultation', 'open', 'case-1', '--with', 'university', ...desk)
  await kenkyo('hospital', 'consent', 'give', 'case-1', '--card', at('patient.pem'), '--scopes', 'live,slide', ...desk)
  const invite = async (role: string, member: string): Promise<string> => {
    const path = at(`${member}.invitation`)
    await writeFile(path, await kenkyo('platform', 'invite', ...nodeFlags.slice(0, 2), ...nodeFlags.slice(4, 6), '--consultation', 'case-1', '--member', member, '--role', role))
    return path
  }
  const enter = (machine: string): string[] => ['--node', `https://node.example:${PORT.members}`, '--cert-file', at(machine, 'node.pem'), '--key-file', at(machine, 'node-key.pem'), '--ca-file', at(machine, 'platform-ca.pem')]
  const microscope = await start('hospital', 'microscope', KENKYO, 'capture', ...PATTERN, '--invitation-file', await invite('microscope', 'scope'), ...enter('microscope'))
  await microscope.line(line => (line.includes('"publishing"') && line.includes('"link"')) || undefined, DEADLINE, never)
  await writeSyntheticSlide(at('slide.svs'), SMALL_SLIDE)
  t.match(await kenkyo('hospital', 'scan', at('slide.svs'), '--json', '--carrier', 'https', '--still-seconds', '0.1', '--state-dir', at('scanner-state'), '--invitation-file', await invite('scanner', 'scanner'), ...enter('scanner')), '"event":"done"')

  const ticket = (await kenkyo('platform', 'practitioner', 'ticket', 'dr-u', ...nodeFlags.slice(0, 2))).trim()
  const token = new URLSearchParams(new URL((await readFile(await invite('viewer', 'dr-u'), 'utf8')).trim()).hash.slice(1)).get('invitation') ?? ''
  const viewer = await start('university', 'viewer', VIEWER, `https://node.example:${PORT.pages}`, at('microscope', 'platform-ca.pem'), token, ticket)
  await viewer.line(line => line === 'watching' || undefined, DEADLINE, never)

  // What must not go anywhere.
  const attempts = [['hospital', '198.18.2.2'], ['university', '198.18.1.2']] as const
  await Promise.all(attempts.map(([place, host]) => t.rejects(places.run(place, 'ping', '-c', '3', '-W', '1', host), `${place} does not reach the other facility`)))

  const allowed = {
    hospital: [`tcp ${PORT.core}`, `tcp ${PORT.members}`, `udp ${PORT.pages}`, `udp ${PORT.media}`, `tcp ${PORT.media}`],
    university: [`tcp ${PORT.pages}`, `udp ${PORT.media}`, `tcp ${PORT.media}`],
  }
  const needed = { hospital: [`tcp ${PORT.core}`, `tcp ${PORT.members}`, `udp ${PORT.pages}`], university: [`tcp ${PORT.pages}`] }
  for (const [index, place] of (['hospital', 'university'] as const).entries()) {
    const { file, dropped } = await captures[place].finish()
    t.equal(dropped, 0, 'the capture is whole')
    const seen = new Map<string, { packets: number; bytes: number; connections: Set<number> }>()
    const [own, other] = [addressOf(`198.18.${index + 1}.2`), addressOf(`198.18.${2 - index}.2`)]
    forEachPacket(file, ({ protocol, source, destination, sourcePort, destinationPort, bytes }) => {
      const isOut = source === own
      const peer = isOut ? destination : source
      const isPlatform = peer === addressOf(PLATFORM) && (isOut ? source : destination) === own
      const name = protocol === IP_PROTOCOL.tcp ? 'tcp' : protocol === IP_PROTOCOL.udp ? 'udp' : `protocol ${protocol}`
      // The ping above leaves the facility, and comes no further than the platform's end of its line.
      const key = isPlatform ? `${name} ${isOut ? destinationPort : sourcePort}` : protocol === IP_PROTOCOL.icmp && isOut && destination === other ? ATTEMPT : `${name} elsewhere`
      const entry = seen.get(key) ?? { packets: 0, bytes: 0, connections: new Set<number>() }
      entry.packets++
      entry.bytes += bytes
      entry.connections.add(isOut ? sourcePort : destinationPort)
      seen.set(key, entry)
    })
    t.comment([`${place}, to ${PLATFORM}:`, ...[...seen].map(([key, { packets, bytes, connections }]) => `  ${key.padEnd(20)} ${connections.size} local ports, ${packets} packets, ${bytes} bytes`)].join('\n'))
    t.same([...seen.keys()].filter(key => !allowed[place].includes(key)), [ATTEMPT], `${place}: nothing but what is allowed, and an attempt without an answer`)
    t.same(needed[place].filter(key => !seen.has(key)), [], `${place}: and all of it was used`)
  }

  const words = (await readFile(join(import.meta.dirname, '../../docs/JOINING.md'), 'utf8')).split(/\s+/).filter(word => /\w/.test(word)).length
  const minutes = words / READING_WORDS_PER_MINUTE
  t.ok(minutes < 5, 'the ceremony is read in less than five minutes')
  t.comment(`docs/JOINING.md has ${words} words: ${minutes.toFixed(1)} minutes at ${READING_WORDS_PER_MINUTE} a minute; three machines joined in ${ceremonySeconds.toFixed(0)} s of commands`)
})
