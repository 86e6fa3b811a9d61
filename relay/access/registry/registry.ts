import { z } from 'zod'
import { FacilityId, NodeId, PractitionerId, PracticeRole, ServiceId } from '../../wire/access.ts'
import { Sha256 } from '../../wire/ids.ts'
import { LINK_CLASSES, LinkName } from '../../wire/link.ts'

/** More of each kind a registry does not hold. */
const MAX_ENTRIES = 10_000

/** What is suspended keeps its name and loses every right, until it is active again. */
const status = z.enum(['active', 'suspended'])
const displayName = z.string().min(1).max(128)

/** A hospital, university or company that joined. */
export const Facility = z.strictObject({ id: FacilityId, displayName, status })
export type Facility = z.infer<typeof Facility>

/** A machine of a facility. `node` relays, `agent` sends: a microscope or a scanner. */
export const RegisteredNode = z.strictObject({ id: NodeId, facilityId: FacilityId, kind: z.enum(['node', 'agent']), status })
export type RegisteredNode = z.infer<typeof RegisteredNode>

/** A link between two facilities, and what was promised of it. */
export const RegisteredLink = z.strictObject({
  name: LinkName,
  class: z.enum(LINK_CLASSES),
  between: z.tuple([FacilityId, FacilityId]),
  /** What may be reserved on it in each direction, in bits per second of IP packets. */
  bitsPerSecond: z.int().min(100_000).max(10_000_000_000),
  status,
})
export type RegisteredLink = z.infer<typeof RegisteredLink>

/** Something that a facility offers to the others by name. */
export const RegisteredService = z.strictObject({
  id: ServiceId,
  facilityId: FacilityId,
  kind: z.enum(['dicomweb', 'slide_store', 'pacs', 'other']),
  /** Where the node of its facility reaches it: scheme, host and port. */
  origin: z.url({ protocol: /^https?$/ }).refine(url => new URL(url).origin === url, 'expected scheme, host and port, and nothing behind'),
  /** `local`: it may be on the node's own machine, by a loopback or link-local address. Without it, where networks lead only. */
  addresses: z.enum(['routable', 'local']).optional(),
  /** For each facility. */
  requestsPerSecond: z.number().min(0.1).max(10_000),
  /** Quarantined: nobody reaches it, and all the others go on. */
  status: z.enum(['active', 'suspended', 'quarantined']),
})
export type RegisteredService = z.infer<typeof RegisteredService>

/** A person who acts for a facility. */
export const Practitioner = z.strictObject({
  id: PractitionerId,
  facilityId: FacilityId,
  role: PracticeRole,
  displayName,
  status,
  /** SHA-256 of certificates (DER) that this person, and nobody else, signs in with. */
  certificates: z.array(Sha256).max(16).optional(),
})
export type Practitioner = z.infer<typeof Practitioner>

const list = <Entry extends z.ZodType>(entry: Entry) => z.array(entry).max(MAX_ENTRIES)

/** Who and what belongs to the platform: one version of it, whole. */
export const RegistryContents = z.strictObject({
  /** Grows with each change. */
  version: z.int().min(1),
  /** Milliseconds since the epoch. */
  issuedAtMillis: z.int().min(0),
  /** After this nothing in it holds any more. */
  expiresAtMillis: z.int().min(0),
  facilities: list(Facility),
  nodes: list(RegisteredNode),
  links: list(RegisteredLink),
  services: list(RegisteredService),
  practitioners: list(Practitioner),
  /** SHA-256 of certificates (DER) that were revoked and have not expired yet. */
  revokedCertificates: list(Sha256),
})
export type RegistryContents = z.infer<typeof RegistryContents>

const repeated = (names: readonly string[]): string[] => [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]

/** What cannot be read off the schema; one sentence each. Two machines with one name are the gravest. */
export function registryContradictions(contents: RegistryContents): string[] {
  const { facilities, nodes, links, services, practitioners } = contents
  const known = new Set<string>(facilities.map(({ id }) => id))
  const named = { facility: facilities.map(({ id }) => id), node: nodes.map(({ id }) => id), link: links.map(({ name }) => name), service: services.map(({ id }) => id), practitioner: practitioners.map(({ id }) => id) }
  const owners = [...nodes, ...services, ...practitioners].map(({ facilityId }) => facilityId)
  const strangers = [...owners, ...links.flatMap(({ between }) => between)].filter(id => !known.has(id))
  return [
    ...Object.entries(named).flatMap(([kind, names]) => repeated(names).map(name => `two entries of kind ${kind} are called ${name}`)),
    ...[...new Set(strangers)].map(id => `${id} is named as a facility and is none`),
    ...repeated(practitioners.flatMap(({ certificates = [] }) => certificates)).map(thumbprint => `the certificate ${thumbprint} is named twice`),
    ...links.filter(({ between: [one, other] }) => one === other).map(({ name }) => `link ${name} joins a facility to itself`),
    ...(contents.expiresAtMillis <= contents.issuedAtMillis ? ['it expires before it was issued'] : []),
  ]
}

/** What a node may ask of the registry. While it holds nothing, everything is unknown. */
export interface RegistryView {
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly expiresAtMillis: number
  /** Each: active, and of an active facility; else undefined. */
  facility(id: FacilityId): Facility | undefined
  practitioner(id: PractitionerId): Practitioner | undefined
  /** Whose card it is. @param thumbprint - SHA-256 of its certificate's DER, in lower-case hexadecimal. */
  practitionerWith(thumbprint: string): Practitioner | undefined
  node(id: NodeId): RegisteredNode | undefined
  link(name: LinkName): RegisteredLink | undefined
  /** Also those in quarantine, which say so. */
  service(id: ServiceId): RegisteredService | undefined
  links(): readonly RegisteredLink[]
  /** @param thumbprint - SHA-256 of the certificate's DER, in lower-case hexadecimal. */
  isRevoked(thumbprint: string): boolean
  /** @returns Stops listening. */
  changed(listener: () => void): () => void
}

/** One version of the registry, ready to be asked. */
export class RegistryIndex {
  readonly contents: RegistryContents
  readonly #facilities: ReadonlyMap<FacilityId, Facility>
  readonly #practitioners: ReadonlyMap<PractitionerId, Practitioner>
  readonly #cards: ReadonlyMap<string, Practitioner>
  readonly #nodes: ReadonlyMap<NodeId, RegisteredNode>
  readonly #links: ReadonlyMap<LinkName, RegisteredLink>
  readonly #services: ReadonlyMap<ServiceId, RegisteredService>
  readonly #revoked: ReadonlySet<string>

  constructor(contents: RegistryContents) {
    this.contents = contents
    this.#facilities = new Map(contents.facilities.filter(({ status }) => status === 'active').map(each => [each.id, each]))
    const isOfActive = ({ facilityId, status }: { facilityId: FacilityId; status: string }): boolean => status !== 'suspended' && this.#facilities.has(facilityId)
    this.#practitioners = new Map(contents.practitioners.filter(isOfActive).map(each => [each.id, each]))
    this.#cards = new Map([...this.#practitioners.values()].flatMap(each => (each.certificates ?? []).map(thumbprint => [thumbprint, each] as const)))
    this.#nodes = new Map(contents.nodes.filter(isOfActive).map(each => [each.id, each]))
    this.#services = new Map(contents.services.filter(isOfActive).map(each => [each.id, each]))
    const isOpen = ({ between, status }: RegisteredLink): boolean => status === 'active' && between.every(id => this.#facilities.has(id))
    this.#links = new Map(contents.links.filter(isOpen).map(each => [each.name, each]))
    this.#revoked = new Set(contents.revokedCertificates)
  }

  facility(id: FacilityId): Facility | undefined {
    return this.#facilities.get(id)
  }

  practitioner(id: PractitionerId): Practitioner | undefined {
    return this.#practitioners.get(id)
  }

  practitionerWith(thumbprint: string): Practitioner | undefined {
    return this.#cards.get(thumbprint)
  }

  node(id: NodeId): RegisteredNode | undefined {
    return this.#nodes.get(id)
  }

  link(name: LinkName): RegisteredLink | undefined {
    return this.#links.get(name)
  }

  links(): RegisteredLink[] {
    return [...this.#links.values()]
  }

  service(id: ServiceId): RegisteredService | undefined {
    return this.#services.get(id)
  }

  isRevoked(thumbprint: string): boolean {
    return this.#revoked.has(thumbprint)
  }
}
