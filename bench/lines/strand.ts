import type { Namespaces } from './namespaces.ts'
import type { LineProfile } from './profiles.ts'

/** Of the VXLAN devices; two per line. Only inside namespaces of ours. */
const FIRST_VXLAN_PORT = 4800
/** Where the VXLAN devices have their sockets, and where the emulator has its own. */
export const WIRE_ADDRESS = '10.0.0.1'
export const EMULATOR_ADDRESS = '10.0.0.2'
/** What VXLAN puts around a full packet, and room to spare. @see RFC 7348 section 5 */
const UNDERLAY_MTU = '1600'
/** Ends of lines get addresses from here on in the block of their network; below are the node's. */
const FIRST_LEAF = 16
/** The host's end of the management link is the second address of the block. */
const FIRST_FURTHER_NODE_ADDRESS = 3

/** Lines that a leaf may have, and leaves' lines that a network may have in all. */
export const MOST_LINES = { ofLeaf: 8, inAll: 32 } as const

/** One line while it is being built. */
export interface Strand {
  /** Among all lines. */
  readonly index: number
  readonly leaf: string
  /** Among the lines of its leaf. */
  readonly line: number
  readonly profile: LineProfile
  /** The addresses that this line joins. */
  readonly nodeAddress: string
  readonly leafAddress: string
  readonly leafMac: string
  readonly nodeMac: string
  /** The interfaces at its ends. */
  readonly leafLink: string
  readonly nodeLink: string
}

/** What an emulator knows a line by. */
export const lineName = (leaf: string, line: number): string => `${leaf}/${line}`

/** The address by which leaves reach the node on their line of that number. */
export const nodeAddressIn = (block: string, line: number): string => `${block}.${line === 0 ? 1 : FIRST_FURTHER_NODE_ADDRESS + line - 1}`

/** Numbers the lines of all leaves, and gives them addresses and names. */
export function planStrands(block: string, leaves: Readonly<Record<string, LineProfile | readonly LineProfile[]>>): Strand[] {
  const lines = Object.entries(leaves).flatMap(([leaf, profiles]) => linesOf(profiles).map((profile, line) => ({ leaf, profile, line })))
  return lines.map((each, index) => {
    const mac = (end: number): string => `02:00:00:00:${end.toString(16).padStart(2, '0')}:${index.toString(16).padStart(2, '0')}`
    return {
      ...each, index, nodeAddress: nodeAddressIn(block, each.line), leafAddress: `${block}.${FIRST_LEAF + index}`,
      leafMac: mac(1), nodeMac: mac(2), leafLink: `line${each.line}`, nodeLink: `line${index}`,
    }
  })
}

/** The lines of one leaf, one after the other. */
export const linesOf = (profiles: LineProfile | readonly LineProfile[]): readonly LineProfile[] => ('up' in profiles ? [profiles] : profiles)

/** The UDP ports of the VXLAN devices at both ends of a line. */
export const vxlanPorts = (index: number): { leafPort: number; nodePort: number } => ({ leafPort: FIRST_VXLAN_PORT + 2 * index, nodePort: FIRST_VXLAN_PORT + 2 * index + 1 })

/**
 * Both ends of every line are VXLAN devices, made in the namespace `wire` and moved to where they are used: their
 * datagrams stay in `wire`, whose only other way out is the veth to the emulator's sockets.
 */
export async function tunnelLines(namespaces: Namespaces, strands: readonly Strand[]): Promise<void> {
  const emulator = namespaces.name('emulator')
  await namespaces.ip('wire', 'link', 'add', 'wire0', 'mtu', UNDERLAY_MTU, 'type', 'veth', 'peer', 'name', 'wire1', 'mtu', UNDERLAY_MTU, 'netns', emulator)
  for (const [place, link, address] of [['wire', 'wire0', WIRE_ADDRESS], ['emulator', 'wire1', EMULATOR_ADDRESS]] as const) {
    await namespaces.ip(place, 'addr', 'add', `${address}/24`, 'dev', link)
    await namespaces.disableOffloads(place, link)
    await namespaces.ip(place, 'link', 'set', link, 'up')
  }
  for (const { index, leaf, leafMac, nodeMac, leafLink, nodeLink } of strands) {
    const { leafPort, nodePort } = vxlanPorts(index)
    for (const [place, link, mac, port] of [[leaf, leafLink, leafMac, leafPort], ['node', nodeLink, nodeMac, nodePort]] as const) {
      const temporary = `vx${port}`
      await namespaces.ip('wire', 'link', 'add', temporary, 'mtu', '1500', 'address', mac, 'type', 'vxlan',
        'id', String(index + 1), 'local', WIRE_ADDRESS, 'remote', EMULATOR_ADDRESS, 'dstport', String(port), 'nolearning', 'noudpcsum')
      await namespaces.ip('wire', 'link', 'set', temporary, 'netns', namespaces.name(place), 'name', link)
    }
  }
}

/** For netem: a bridge per line in the emulator's namespace, whose two ports are where the queues are. */
export async function bridgeLines(namespaces: Namespaces, strands: readonly Strand[]): Promise<void> {
  for (const { index, leaf, leafMac, nodeMac, leafLink, nodeLink } of strands) {
    await namespaces.ip('emulator', 'link', 'add', `bridge${index}`, 'type', 'bridge')
    for (const [place, link, mac, port] of [[leaf, leafLink, leafMac, `leaf${index}`], ['node', nodeLink, nodeMac, `node${index}`]] as const) {
      await namespaces.ip('emulator', 'link', 'add', port, 'type', 'veth', 'peer', 'name', link, 'address', mac, 'netns', namespaces.name(place))
      await namespaces.ip('emulator', 'link', 'set', port, 'master', `bridge${index}`)
      await namespaces.disableOffloads('emulator', port)
      await namespaces.ip('emulator', 'link', 'set', port, 'up')
    }
    await namespaces.ip('emulator', 'link', 'set', `bridge${index}`, 'up')
  }
}

/**
 * Joins one address of the leaf to one of the node, by host routes: which line a packet takes is decided by where it
 * goes, in either direction. Neighbours are written down, so that no ARP crosses the line, to be delayed, lost or counted.
 */
export async function addressLine(namespaces: Namespaces, { leaf, line, nodeAddress, leafAddress, leafMac, nodeMac, leafLink, nodeLink }: Strand): Promise<void> {
  await namespaces.disableOffloads(leaf, leafLink)
  await namespaces.disableOffloads('node', nodeLink)
  await namespaces.ip(leaf, 'addr', 'add', `${leafAddress}/32`, 'dev', leafLink)
  await namespaces.ip(leaf, 'link', 'set', leafLink, 'up')
  await namespaces.ip('node', 'link', 'set', nodeLink, 'up')
  await namespaces.ip(leaf, 'neigh', 'replace', nodeAddress, 'lladdr', nodeMac, 'dev', leafLink, 'nud', 'permanent')
  await namespaces.ip('node', 'neigh', 'replace', leafAddress, 'lladdr', leafMac, 'dev', nodeLink, 'nud', 'permanent')
  await namespaces.ip(leaf, 'route', 'add', nodeAddress, 'dev', leafLink, 'src', leafAddress)
  await namespaces.ip('node', 'route', 'add', leafAddress, 'dev', nodeLink, 'src', nodeAddress)
  // WebRTC finds its own address by asking which way a packet to the internet would take. The node forwards none.
  if (line === 0) await namespaces.ip(leaf, 'route', 'add', 'default', 'via', nodeAddress, 'dev', leafLink, 'src', leafAddress)
}
