import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { completeContract, LinkContractInput } from '../../relay/links/link-classes.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { MemberId } from '../../relay/wire/ids.ts'
import { contractContradictions, LINK_CLASSES, LinkName, sharesPathName } from '../../relay/wire/link.ts'
import type { LinkContract, PathContract } from '../../relay/wire/link.ts'
import type { Role } from '../../relay/wire/signaling.ts'

/** Names that a node gives itself: to links without a contract, and as values of the metric label `link`. */
const RESERVED_NAME = /^(local|other|(agent|probe|scanner)-\d+)$/
/** Links of members without a contract of their own are called after their role; more at once than this are refused. */
const MAX_UNNAMED = 64
const UNNAMED = { microscope: 'agent', viewer: 'probe', technician: 'probe', scanner: 'scanner' } as const satisfies Record<Role, string>

/** One link as it is written down: what differs from its class, and whose link it is. */
const LinkEntry = LinkContractInput.extend({
  class: z.enum(LINK_CLASSES).default('best-effort'),
  /** Members whose agents use this link. */
  members: z.array(MemberId).min(1),
})

const LinksFile = z.strictObject({ links: z.array(LinkEntry).max(1024) })

/** The links that a node was told of, and names for those that it was not. */
export class LinkContracts {
  readonly #byMember = new Map<MemberId, { readonly contract: LinkContract; readonly hasPaths: boolean }>()

  private constructor(entries: z.infer<typeof LinksFile>['links']) {
    for (const { members, ...entry } of entries) {
      const contract = completeContract(entry)
      for (const member of members) this.#byMember.set(member, { contract, hasPaths: entry.paths !== undefined })
    }
  }

  /** Without a file there are only links of no contract. */
  static readonly none = new LinkContracts([])

  /** @throws {RelayFault} `bad_config` naming every mistake. */
  static read(path: string): LinkContracts {
    const result = LinksFile.safeParse(readJson(path))
    if (!result.success) throw new RelayFault('bad_config', `${path}: ${z.prettifyError(result.error)}`)
    const { links } = result.data
    const mistakes = [...duplicates(links.map(link => link.name), 'link'), ...duplicates(links.flatMap(link => link.members), 'member')]
    for (const { members: _members, ...entry } of links) {
      if (RESERVED_NAME.test(entry.name)) mistakes.push(`link ${entry.name}: the node gives this name itself`)
      mistakes.push(...contractContradictions(completeContract(entry)))
    }
    if (mistakes.length > 0) throw new RelayFault('bad_config', mistakes.map(mistake => `${path}: ${mistake}`).join('\n'))
    return new LinkContracts(links)
  }

  /**
   * The contract of a member's link. Without one of its own it is a best-effort link, named after the role.
   *
   * @param proposed - Paths that the member has; they count where the contract names none.
   * @throws {RelayFault} `bad_message` when two of those share a name; `overloaded` when too many links without a
   *   contract are open; `conflict` when this one is.
   */
  find(member: MemberId, role: Role, proposed: readonly PathContract[], isOpen: (name: LinkName) => boolean): LinkContract {
    if (sharesPathName(proposed)) throw new RelayFault('bad_message', 'two paths share a name')
    const known = role === 'viewer' || role === 'technician' ? undefined : this.#byMember.get(member)
    if (known !== undefined) {
      if (isOpen(known.contract.name)) throw new RelayFault('conflict', 'this link is in use')
      return known.hasPaths ? known.contract : { ...known.contract, paths: [...proposed] }
    }
    for (let number = 1; number <= MAX_UNNAMED; number++) {
      const unnamed = LinkName.parse(`${UNNAMED[role]}-${number}`)
      if (!isOpen(unnamed)) return completeContract({ name: unnamed, class: 'best-effort', paths: [...proposed] })
    }
    throw new RelayFault('overloaded', 'this node has as many links as it may')
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new RelayFault('bad_config', `${path}: ${cause instanceof SyntaxError ? 'is not JSON' : 'cannot be read'}`, { cause })
  }
}

const duplicates = (names: readonly string[], kind: string): string[] =>
  [...new Set(names.filter((each, index) => names.indexOf(each) !== index))].map(each => `${kind} ${each} is there twice`)
