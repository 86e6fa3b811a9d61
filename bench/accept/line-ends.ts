import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { z } from 'zod'
import { LinkContractInput } from '../../relay/links/link-classes.ts'
import { RelayFault } from '../../relay/wire/fault.ts'

/** Where one path leads. */
export interface LineEnd {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly localAddress?: string
}

const LinksFile = z.looseObject({ links: z.array(LinkContractInput) })

/** Reads `localAddress@host:port`, of which only the host has to be there. @throws {RelayFault} `bad_config` */
export function parsePeer(name: string, text: string, port: number): LineEnd {
  const match = /^(?:([0-9a-fA-F.:]+)@)?(\[[0-9a-fA-F:]+\]|[^\s:@[\]]{1,253})(?::(\d{1,5}))?$/.exec(text)
  const [, localAddress, host, given] = match ?? []
  const chosen = given === undefined ? port : Number(given)
  if (host === undefined || chosen < 1 || chosen > 65_535 || (localAddress !== undefined && isIP(localAddress) === 0)) throw new RelayFault('bad_config', 'a far end is host, host:port or localAddress@host; IPv6 addresses in brackets')
  return { name, host: host.replace(/^\[(.*)\]$/, '$1'), port: chosen, ...(localAddress === undefined ? {} : { localAddress }) }
}

/** The first two paths of a link, as a node's file of links has them. @throws {RelayFault} `bad_config` */
export async function readLinkEnds(file: string, link: string, port: number): Promise<LineEnd[]> {
  const contract = await readContract(file, link)
  const ends = (contract.paths ?? []).slice(0, 2).map(({ name, remoteHost, localAddress }): LineEnd => {
    if (remoteHost === undefined) throw new RelayFault('bad_config', `path ${name} of that link names no remoteHost: write it into the file, or use --peer`)
    return { name, host: remoteHost, port, ...(localAddress === undefined ? {} : { localAddress }) }
  })
  if (ends.length === 0) throw new RelayFault('bad_config', 'that link has no paths in the file: use --peer')
  return ends
}

async function readContract(file: string, link: string): Promise<LinkContractInput> {
  let links: readonly LinkContractInput[]
  try {
    ;({ links } = LinksFile.parse(JSON.parse(await readFile(file, 'utf8'))))
  } catch (cause) {
    throw new RelayFault('bad_config', 'the file of links cannot be read', { cause })
  }
  const contract = links.find(({ name }) => name === link)
  if (contract === undefined) throw new RelayFault('bad_config', `no such link in the file; it has ${links.map(({ name }) => name).join(', ')}`)
  return contract
}
