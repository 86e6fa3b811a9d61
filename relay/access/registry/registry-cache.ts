import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceDurably } from '../../runtime/durable-file.ts'
import { RelayFault } from '../../wire/fault.ts'
import { RegistryIndex } from './registry.ts'
import type { FacilityId, NodeId, PractitionerId, ServiceId } from '../../wire/access.ts'
import type { LinkName } from '../../wire/link.ts'
import type { Facility, Practitioner, RegisteredLink, RegisteredNode, RegisteredService, RegistryContents, RegistryView } from './registry.ts'
import type { SnapshotVerifier } from './snapshot.ts'

const FILE_NAME = 'registry.jws'
/** A version of which less than this part of its life is left is said to run out. */
const WARNING_SHARE = 0.25

/** How the registry stands at a node. */
export type RegistryStanding = 'missing' | 'valid' | 'expiring' | 'expired'

/**
 * The registry as one node knows it: the newest version that the platform signed, kept over restarts. What has
 * expired holds for nothing; an older version than was once seen is refused, also after a restart.
 */
export class RegistryCache implements RegistryView {
  readonly #verifier: SnapshotVerifier
  readonly #path: string
  /** Milliseconds since the epoch. */
  readonly #now: () => number
  readonly #listeners = new Set<() => void>()
  #index: RegistryIndex | undefined
  #snapshot = ''
  #work: Promise<unknown> = Promise.resolve()

  private constructor(folder: string, verifier: SnapshotVerifier, now: () => number) {
    this.#path = join(folder, FILE_NAME)
    this.#verifier = verifier
    this.#now = now
  }

  /**
   * @param folder - Exists, and belongs to this node.
   * @throws {RelayFault} `registry_refused` when what was kept there is not the platform's.
   */
  static async open(folder: string, verifier: SnapshotVerifier, now: () => number = Date.now): Promise<RegistryCache> {
    const cache = new RegistryCache(folder, verifier, now)
    const kept = await readFile(cache.#path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new RelayFault('registry_refused', `${cache.#path} cannot be read`, { cause: error })
    })
    if (kept !== undefined) cache.#accept(kept, await verifier.read(kept))
    return cache
  }

  /**
   * Takes a version that came from the core. The same one again changes nothing.
   *
   * @returns Whether it is new.
   * @throws {RelayFault} `registry_refused` when it is not signed, has expired, contradicts itself, or is older than one that was seen.
   */
  async take(snapshot: string): Promise<boolean> {
    const taking = this.#work.then(() => this.#take(snapshot))
    this.#work = taking.catch(() => undefined)
    return taking
  }

  async #take(snapshot: string): Promise<boolean> {
    const contents = await this.#verifier.read(snapshot)
    const known = this.#index?.contents.version ?? 0
    if (snapshot === this.#snapshot) return false
    if (contents.version < known) throw new RelayFault('registry_refused', `version ${contents.version} is older than ${known}, which was seen`)
    if (contents.version === known) throw new RelayFault('registry_refused', `there are two versions ${known}`)
    if (contents.expiresAtMillis <= this.#now()) throw new RelayFault('registry_refused', 'this version has expired')
    await replaceDurably(this.#path, snapshot)
    this.#accept(snapshot, contents)
    for (const listener of this.#listeners) listener()
    return true
  }

  /** How it stands at this moment. */
  get standing(): RegistryStanding {
    if (this.#index === undefined) return 'missing'
    const { issuedAtMillis, expiresAtMillis } = this.#index.contents
    const left = expiresAtMillis - this.#now()
    if (left <= 0) return 'expired'
    return left < (expiresAtMillis - issuedAtMillis) * WARNING_SHARE ? 'expiring' : 'valid'
  }

  get version(): number {
    return this.#index?.contents.version ?? 0
  }

  get expiresAtMillis(): number {
    return this.#index?.contents.expiresAtMillis ?? 0
  }

  facility(id: FacilityId): Facility | undefined {
    return this.#valid?.facility(id)
  }

  practitioner(id: PractitionerId): Practitioner | undefined {
    return this.#valid?.practitioner(id)
  }

  practitionerWith(thumbprint: string): Practitioner | undefined {
    return this.#valid?.practitionerWith(thumbprint)
  }

  node(id: NodeId): RegisteredNode | undefined {
    return this.#valid?.node(id)
  }

  link(name: LinkName): RegisteredLink | undefined {
    return this.#valid?.link(name)
  }

  links(): readonly RegisteredLink[] {
    return this.#valid?.links() ?? []
  }

  service(id: ServiceId): RegisteredService | undefined {
    return this.#valid?.service(id)
  }

  /** What was revoked stays so when the version that says it has expired. */
  isRevoked(thumbprint: string): boolean {
    return this.#index?.isRevoked(thumbprint) ?? false
  }

  changed(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get #valid(): RegistryIndex | undefined {
    return this.#index !== undefined && this.#now() < this.#index.contents.expiresAtMillis ? this.#index : undefined
  }

  #accept(snapshot: string, contents: RegistryContents): void {
    this.#snapshot = snapshot
    this.#index = new RegistryIndex(contents)
  }
}
