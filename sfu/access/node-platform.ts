import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CoreClient } from '../../relay/access/core/core-client.ts'
import { CoreMirror } from '../../relay/access/core/core-mirror.ts'
import { MembersDoor } from '../../relay/access/doors/members-door.ts'
import { GrantRegistry } from '../../relay/access/grants/grant-registry.ts'
import { GrantTokens } from '../../relay/access/grants/grant-tokens.ts'
import { PossessionVerifier } from '../../relay/access/grants/proof-of-possession.ts'
import { LinkLedger } from '../../relay/access/ledger/link-ledger.ts'
import { readCertificate } from '../../relay/access/pki/certificate.ts'
import { RevocationCache } from '../../relay/access/pki/revocation-cache.ts'
import { SignInTokens } from '../../relay/access/practitioners/sign-in-tokens.ts'
import { RegistryCache } from '../../relay/access/registry/registry-cache.ts'
import { SnapshotVerifier } from '../../relay/access/registry/snapshot.ts'
import { LogSearch } from '../../relay/audit/log-search.ts'
import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { AccessDesk } from './access-desk.ts'
import { CertificateUpkeep } from './certificate-upkeep.ts'
import { CoreReporter } from './core-reporter.ts'
import { LinkAdmission } from './link-admission.ts'
import { LinkStanding } from './link-standing.ts'
import { LinkWatch } from './link-watch.ts'
import { NodeSignIn } from './node-sign-in.ts'
import type { Server } from 'node:http'
import type { JWK } from 'jose'
import type { CoreMessage } from '../../relay/access/core/core-stream.ts'
import type { MembersDoorOptions } from '../../relay/access/doors/members-door.ts'
import type { Admission } from '../../relay/access/invitation.ts'
import type { MemberName } from '../../relay/access/pki/member-name.ts'
import type { AccessPolicy } from '../../relay/access/policy/access-policy.ts'
import type { LinkSnapshot } from '../../relay/links/measurement/link-snapshot.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { FacilityId } from '../../relay/wire/access.ts'
import type { AuditLog } from '../../relay/wire/audit-event.ts'
import type { NodeConfig } from '../config.ts'

/** How often it is looked whether the core can still be heard. */
const LOOK_MILLIS = 1000

/** The settings that make a node part of a platform. */
export interface PlatformSettings {
  readonly coreUrl: string
  readonly nodeCertFile: string
  readonly nodeKeyFile: string
  readonly platformCaFile: string
  readonly registryKeyFile: string
}

/** What a node brings along. */
export interface NodePlatformOptions {
  readonly config: NodeConfig
  readonly settings: PlatformSettings
  /** The node's own, Ed25519: signs grants. */
  readonly key: JWK
  readonly policy: AccessPolicy
  readonly audit: AuditLog
  /** @throws {RelayFault} `invitation_refused`, `invitation_expired`. */
  readonly readInvitation: (invitation: string) => Promise<Admission>
  /** How the node's links are at this moment. */
  readonly links: () => readonly LinkSnapshot[]
  /** Where clients reach this node. */
  readonly origin: () => string
  /** The core can be heard again, or not any more. */
  readonly onCoreChanged: (isReachable: boolean) => void
  readonly log: Logger
}

/** The settings of a node on a platform; undefined of one that stands alone. */
export function platformSettings({ coreUrl, nodeCertFile, nodeKeyFile, platformCaFile, registryKeyFile }: NodeConfig): PlatformSettings | undefined {
  if (coreUrl === undefined || nodeCertFile === undefined || nodeKeyFile === undefined || platformCaFile === undefined || registryKeyFile === undefined) return undefined
  return { coreUrl, nodeCertFile, nodeKeyFile, platformCaFile, registryKeyFile }
}

/** A node's part in a platform: it hears the core, knows who belongs, and decides who is let in. Owns the connection to the core, the members' door and the sign-in. */
export class NodePlatform implements AsyncDisposable {
  readonly desk: AccessDesk
  readonly signIns: SignInTokens
  readonly signIn: NodeSignIn
  readonly registry: RegistryCache
  readonly revocations: RevocationCache
  readonly mirror: CoreMirror
  /** Whose the node is. */
  readonly facilityId: FacilityId
  readonly #options: NodePlatformOptions
  readonly #scope: AsyncDisposableStack
  #closing: Promise<void> | undefined

  private constructor(parts: Pick<NodePlatform, 'desk' | 'signIns' | 'signIn' | 'registry' | 'revocations' | 'mirror' | 'facilityId'>, options: NodePlatformOptions, scope: AsyncDisposableStack) {
    this.desk = parts.desk
    this.signIns = parts.signIns
    this.signIn = parts.signIn
    this.registry = parts.registry
    this.revocations = parts.revocations
    this.mirror = parts.mirror
    this.facilityId = parts.facilityId
    this.#options = options
    this.#scope = scope
  }

  /** @throws {RelayFault} `bad_config` for material that cannot be used, `registry_refused` for a kept registry that is not the platform's. */
  static async open(options: NodePlatformOptions): Promise<NodePlatform> {
    await using scope = new AsyncDisposableStack()
    const { config, settings, key, policy, audit, readInvitation, log } = options
    const now = (): number => Date.now()
    const folder = join(config.stateDir, 'registry')
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const registry = await RegistryCache.open(folder, await SnapshotVerifier.open(await readJwk(settings.registryKeyFile)))
    const revocations = await RevocationCache.open(folder)
    const mirror = new CoreMirror(registry, () => performance.now(), revocations)
    const { facilityId } = ownName(settings)
    const [ledger, linkWatch] = [new LinkLedger(), new LinkWatch()]
    const links = new LinkStanding(registry, ledger, facilityId, link => linkWatch.isDegraded(link))
    links.refresh()
    const possession = new PossessionVerifier({ origin: options.origin })
    const grants = new GrantRegistry()
    const [tokens, signIns] = await Promise.all([GrantTokens.open({ key, grants, possession }), SignInTokens.open({ key, registry, possession })])
    const isCoreReachable = (): boolean => mirror.isReachable
    const desk = new AccessDesk({ sources: { registry, consents: mirror, policy, links }, isCoreReachable, readInvitation, grants, admission: new LinkAdmission(ledger), tokens, audit, now, log })
    scope.defer(mirror.changed(consultationId => desk.reconsider(consultationId)))
    scope.defer(registry.changed(() => {
      desk.linksChanged(links.refresh())
      desk.reconsider()
    }))
    const looking = setInterval(() => {
      desk.endIdle()
      if (!linkWatch.read(options.links(), systemClock.now())) return
      log.warn('a link is degraded, or has recovered')
      desk.reconsider()
    }, LOOK_MILLIS).unref()
    scope.defer(() => clearInterval(looking))
    const logs = new LogSearch({ directory: config.auditDir ?? join(config.stateDir, 'audit'), keyFolder: config.stateDir, log })
    const reporter = scope.use(new CoreReporter({ url: settings.coreUrl, credentials: () => readCredentials(settings), isReachable: isCoreReachable, links: options.links, grants, logs, log }))
    const take = async (message: CoreMessage): Promise<void> => (message.type === 'audit_question' ? void reporter.answer(message) : mirror.take(message))
    scope.use(new CoreClient({ url: settings.coreUrl, credentials: () => readCredentials(settings), take, clock: systemClock, log }))
    scope.use(new CertificateUpkeep({ nodeCertFile: settings.nodeCertFile, coreUrl: settings.coreUrl, log }))
    const signIn = scope.use(await NodeSignIn.open({ config, key, registry, tokens: signIns, audit, origin: options.origin, log }))
    return new NodePlatform({ desk, signIns, signIn, registry, revocations, mirror, facilityId }, options, scope.move())
  }

  /** What the node shows to others, and knows them by: PEM. @throws {RelayFault} `bad_config`. */
  get credentials(): { readonly cert: string; readonly key: string; readonly ca: string } {
    const { cert, key, ca } = readCredentials(this.#options.settings)
    return { cert: cert.toString(), key: key.toString(), ca: ca.toString() }
  }

  /**
   * Opens the door of nodes and agents before the node's own server, and the listener for people's cards. From here on it is told whether the core can be heard.
   *
   * @returns Port of the door of nodes and agents.
   * @throws {RelayFault} `bad_config`, `address_in_use`.
   */
  async openDoor(server: Server): Promise<number> {
    const { config, settings, log } = this.#options
    const { registry, revocations } = this
    const options: MembersDoorOptions = {
      host: config.listenHost, port: config.membersListenPort, certFile: settings.nodeCertFile, keyFile: settings.nodeKeyFile, caFile: settings.platformCaFile, server, registry,
      get crlFile() {
        return revocations.file
      },
      crlsChanged: listener => revocations.changed(listener),
      log,
    }
    const door = this.#scope.adopt(await MembersDoor.open(options), it => it.close())
    await this.signIn.openDoor()
    // Not before there is somebody to be told.
    const watch = watchCore(this.mirror, isReachable => {
      if (isReachable) log.info('the core can be heard')
      else log.warn('the core cannot be heard any more')
      this.#options.onCoreChanged(isReachable)
    })
    this.#scope.defer(() => clearInterval(watch))
    return door.port
  }

  /** Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#scope.disposeAsync())
  }
}

/** Tells what differs from what was told last; before anything was, the core passes for one that can be heard. */
function watchCore(mirror: CoreMirror, onChanged: (isReachable: boolean) => void): NodeJS.Timeout {
  let wasReachable = true
  return setInterval(() => {
    const { isReachable } = mirror
    if (isReachable === wasReachable) return
    wasReachable = isReachable
    onChanged(isReachable)
  }, LOOK_MILLIS).unref()
}

function readCredentials({ nodeCertFile, nodeKeyFile, platformCaFile }: PlatformSettings): { cert: Buffer; key: Buffer; ca: Buffer } {
  try {
    return { cert: readFileSync(nodeCertFile), key: readFileSync(nodeKeyFile), ca: readFileSync(platformCaFile) }
  } catch (cause) {
    throw new RelayFault('bad_config', 'the node\'s certificate, its key or the platform\'s CA cannot be read', { cause })
  }
}

/** @throws {RelayFault} `bad_config` for a certificate that names no machine of a facility. */
function ownName(settings: PlatformSettings): MemberName {
  const { cert } = readCredentials(settings)
  try {
    const { member } = readCertificate(new X509Certificate(cert).raw)
    if (member !== undefined) return member
  } catch (cause) {
    throw new RelayFault('bad_config', 'nodeCertFile holds no certificate that can be read', { cause })
  }
  throw new RelayFault('bad_config', 'the certificate in nodeCertFile names no machine of a facility')
}

async function readJwk(path: string): Promise<JWK> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as JWK
  } catch (cause) {
    throw new RelayFault('bad_config', 'registryKeyFile cannot be read, or holds no key', { cause })
  }
}
