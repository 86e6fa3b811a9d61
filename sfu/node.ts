import { fileURLToPath } from 'node:url'
import { InvitationIssuer, InvitationVerifier } from '../relay/access/invitation.ts'
import { OperatorVerifier } from '../relay/access/operator-token.ts'
import { AccessPolicy } from '../relay/access/policy/access-policy.ts'
import { systemClock } from '../relay/runtime/clock.ts'
import { createRegistry } from '../relay/runtime/metrics.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import { AccessRoutes } from './access/access-routes.ts'
import { ConsultationQuality } from './access/consultation-quality.ts'
import { GrantRoutes } from './access/grant-routes.ts'
import { NodeAudit } from './access/node-audit.ts'
import { NodePlatform, platformSettings } from './access/node-platform.ts'
import { ConsultationRegistry } from './consultation-registry.ts'
import { HttpServer } from './http-server.ts'
import { loadInvitationKey } from './invitation-key.ts'
import { LinkContracts } from './links/link-contracts.ts'
import { LinkObserver } from './links/link-observer.ts'
import { NodeLinks } from './links/node-links.ts'
import { createNodeMetrics } from './node-metrics.ts'
import { NodePreflight } from './preflight/node-preflight.ts'
import { NodeSlides } from './slides/node-slides.ts'
import { SlideAccess } from './slides/slide-access.ts'
import { SlideMetrics } from './slides/slide-metrics.ts'
import { NodeRecordings } from './recording/node-recordings.ts'
import { RecordingMetrics } from './recording/recording-metrics.ts'
import { NodeServices } from './services/node-services.ts'
import { readServiceCredentials } from './services/service-credentials.ts'
import { authoriseService } from './services/service-grants.ts'
import { ServiceMetrics } from './services/service-metrics.ts'
import { SignalingServer } from './signaling/server.ts'
import { NodeStills } from './stills/node-stills.ts'
import { StillMetrics } from './stills/still-metrics.ts'
import { ForeignDoors } from './whip/foreign-doors.ts'
import { ForeignMetrics } from './whip/foreign-metrics.ts'
import { ForeignRoutes } from './whip/foreign-routes.ts'
import { StatsCollector } from './stats-collector.ts'
import { TurnRelays } from './turn/turn-relays.ts'
import { WorkerPool } from './worker-pool.ts'
import type { InvitationTerms } from '../relay/access/invitation.ts'
import type { Logger } from '../relay/runtime/log.ts'
import type { Role } from '../relay/wire/signaling.ts'
import type { NodeConfig } from './config.ts'
import type { Health, HttpServerOptions } from './http-server.ts'
import type { NodeMetrics } from './node-metrics.ts'
import type { ConnectionHost } from './signaling/connection.ts'
import type { Registry } from 'prom-client'
import type { NodePlatformOptions } from './access/node-platform.ts'
import type { NodeServicesOptions } from './services/node-services.ts'
import type { VerifyToken } from './slides/slide-access.ts'
import type { NodeRecordingsOptions } from './recording/node-recordings.ts'
import type { NodeSlidesOptions } from './slides/node-slides.ts'

const VIEWER_DIR = fileURLToPath(new URL('../clients/viewer/dist', import.meta.url))

/** The link that opens a consultation: the token stays in the fragment, which no browser sends to a server. */
export const invitationLink = (origin: string, token: string): string => `${origin}/#invitation=${token}`

/** A running node. The one place where its parts are put together. */
export class KenkyoNode {
  /** Where it is reached: the configured public origin, or the address it listens on. */
  readonly origin: string
  /** Port of the door for nodes and agents; undefined on a node that stands alone. */
  readonly membersPort: number | undefined
  readonly #issuer: InvitationIssuer
  readonly #pool: WorkerPool
  readonly #health: () => Health
  readonly #scope: AsyncDisposableStack
  #closing: Promise<void> | undefined

  private constructor({ origin, membersPort }: { readonly origin: string; readonly membersPort: number | undefined }, issuer: InvitationIssuer, pool: WorkerPool, currentHealth: () => Health, scope: AsyncDisposableStack) {
    this.origin = origin
    this.membersPort = membersPort
    this.#issuer = issuer
    this.#pool = pool
    this.#health = currentHealth
    this.#scope = scope
  }

  /** @throws {RelayFault} `bad_config`, `address_in_use` or `unavailable`; then nothing stays open. */
  static async open(config: NodeConfig, log: Logger): Promise<KenkyoNode> {
    await using scope = new AsyncDisposableStack()
    const registry = createRegistry()
    const metrics = createNodeMetrics(registry)
    const key = await loadInvitationKey(config.stateDir)
    const [issuer, verifier, operators, policy] = await Promise.all([InvitationIssuer.open(key), InvitationVerifier.open(key), OperatorVerifier.open(key), AccessPolicy.read(config.policiesDir)])
    const media = { ip: config.rtcListenIp, basePort: config.rtcBasePort, announcedAddress: config.rtcAnnouncedAddress }
    const pool = scope.adopt(await WorkerPool.open(config.workers, media, log, () => metrics.workerDeaths.inc()), it => it.close())
    const nodeLinks = scope.use(await openLinks(config))
    const recorder = config.audit ? scope.use(await NodeAudit.open(config, registry, log)) : undefined
    let origin = (): string => config.publicOrigin ?? ''
    let coreChanged = (_isReachable: boolean): void => undefined
    const platform = recorder === undefined ? undefined : await openPlatform({ config, key, policy, audit: recorder.log, readInvitation: token => verifier.verify(token), links: () => nodeLinks.snapshots(), origin: () => origin(), onCoreChanged: isReachable => coreChanged(isReachable), log })
    if (platform !== undefined) scope.use(platform)
    const verify: VerifyToken = platform === undefined ? token => verifier.verify(token) : (token, possession) => platform.desk.verify(token, possession)
    const slideMetrics = new SlideMetrics(registry)
    const stillMetrics = new StillMetrics(registry)
    const slides = config.slides ? scope.use(await openSlides(config, { verify, colourOf: (...of) => consultations.colourOf(...of), recorder, metrics: slideMetrics, clock: systemClock, log })) : undefined
    const stills = config.stillsQuotaBytes > 0 ? scope.use(await NodeStills.open({ stateDir: config.stateDir, quotaBytes: config.stillsQuotaBytes, verify, recorder, metrics: stillMetrics, clock: systemClock, log })) : undefined
    const recordings = config.recordingsQuotaBytes > 0 ? scope.use(await openRecordings(config, { metrics: new RecordingMetrics(registry), verify, recorder, log })) : undefined
    const services = platform === undefined || recorder === undefined ? undefined : scope.use(openServices(config, platform, { audit: recorder.log, metrics: new ServiceMetrics(registry), access: scope.use(new SlideAccess(verify)), log }))
    const preflight = scope.use(new NodePreflight({ stateDir: config.stateDir, verify, clock: systemClock, log }))
    const consultationHost = {
      preflight,
      relays: TurnRelays.open(config.turnUrls, config.turnSecretFile),
      leastLoaded: () => pool.leastLoaded(),
      openLink: nodeLinks.openFor.bind(nodeLinks),
      slides: slides?.news,
      stills,
      recordings,
      chunkSink: slides?.chunkSink.bind(slides),
    }
    const consultations: ConsultationRegistry = new ConsultationRegistry(consultationHost, config, log)
    scope.defer(() => consultations.close(new RelayFault('unavailable', 'the node is stopping')))
    coreChanged = isReachable => consultations.coreChanged(isReachable)
    const host = connectionHost(verify, consultations, recorder, metrics, log)
    const links = scope.adopt(new LinkObserver(nodeLinks, registry, log), it => it.close())
    const pages = {
      health: () => health(pool, consultations),
      metrics: () => {
        links.read()
        slides?.read()
        return scrape(registry, metrics, pool, consultations)
      },
      links: links.pages,
      slides,
      stills,
      recordings,
      foreign: openForeign(verify, consultations, recorder, new ForeignMetrics(registry), log),
      preflight,
      signIn: platform?.signIn,
      cardOrigin: () => platform?.signIn.ways.cardOrigin ?? null,
      access: new AccessRoutes({ policy, operators, log }),
      services,
      grants: new GrantRoutes({ desk: platform?.desk, signIns: platform?.signIns, people: () => platform?.signIn.ways ?? null, log }),
    }
    const http = scope.adopt(await openHttp(config, pages, log), it => it.close())
    scope.adopt(new SignalingServer(http.server, host), it => it.close())
    origin = () => config.publicOrigin ?? http.origin
    const membersPort = await platform?.openDoor(http.server)
    if (recorder !== undefined) scope.use(new ConsultationQuality({ consultations: () => consultations.all(), links: () => nodeLinks.snapshots(), record: event => recorder.happened(event) }))
    scope.adopt(new StatsCollector(metrics, pool, () => consultations.all(), config.statsIntervalSeconds, log), it => it.close())
    return new KenkyoNode({ origin: origin(), membersPort }, issuer, pool, pages.health, scope.move())
  }

  /** Process ids of the media workers that run now. */
  get workerPids(): number[] {
    return this.#pool.running.map(({ worker }) => worker.pid)
  }

  /** What `GET /healthz` answers now. */
  get health(): Health {
    return this.#health()
  }

  /** @returns A link that opens the viewer, or that a capture agent publishes with. */
  async invite(terms: InvitationTerms): Promise<string> {
    return invitationLink(this.origin, await this.#issuer.issue(terms))
  }

  /** Ends every session and stops. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#scope.disposeAsync())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** The node's part in a platform; undefined where it stands alone. */
async function openPlatform(options: Omit<NodePlatformOptions, 'settings'>): Promise<NodePlatform | undefined> {
  const settings = platformSettings(options.config)
  return settings === undefined ? undefined : NodePlatform.open({ ...options, settings })
}

function openLinks({ links, linkListenIp, linkPort, linkAnnouncedHost, linksFile, listenPort, rtcListenIp, rtcAnnouncedAddress }: NodeConfig): Promise<NodeLinks> {
  return NodeLinks.open({
    address: links ? (linkListenIp ?? rtcListenIp) : undefined,
    port: linkPort ?? listenPort,
    announcedHost: linkAnnouncedHost ?? rtcAnnouncedAddress ?? null,
    contracts: linksFile === undefined ? LinkContracts.none : LinkContracts.read(linksFile),
    clock: systemClock,
  })
}

function openSlides(config: NodeConfig, options: Omit<NodeSlidesOptions, 'origin'>): Promise<NodeSlides> {
  const scheme = config.tlsCertFile === undefined ? 'http' : 'https'
  const origin = config.publicOrigin ?? `${scheme}://${config.listenHost}:${config.listenPort}`
  return NodeSlides.open(config, { ...options, origin })
}

function openRecordings({ stateDir, recordingsQuotaBytes: quotaBytes }: NodeConfig, options: Pick<NodeRecordingsOptions, 'metrics' | 'verify' | 'recorder' | 'log'>): Promise<NodeRecordings> {
  return NodeRecordings.open({ stateDir, quotaBytes, clock: systemClock, ...options })
}

function openHttp(
  config: NodeConfig,
  pages: Pick<HttpServerOptions, 'health' | 'metrics' | 'links' | 'slides' | 'stills' | 'recordings' | 'preflight' | 'foreign' | 'access' | 'services' | 'grants' | 'signIn' | 'cardOrigin'>,
  log: Logger,
): Promise<HttpServer> {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile } = config
  const tls = certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile }
  const options = { host: config.listenHost, port: config.listenPort, tls, viewerDir: VIEWER_DIR, ...pages, log }
  return HttpServer.open(options)
}

/** Services in common, by the platform's registry. @throws {RelayFault} `bad_config`. */
function openServices({ serviceCredentialsFile: file }: NodeConfig, { registry, facilityId, credentials: tls }: NodePlatform, { access, ...options }: Pick<NodeServicesOptions, 'audit' | 'metrics' | 'log'> & { readonly access: SlideAccess }): NodeServices {
  const credentials = file === undefined ? undefined : readServiceCredentials(file)
  return new NodeServices({ ...options, registry, facilityId, authorise: request => authoriseService(access, request), credentials, tls, clock: systemClock })
}

/** WHIP and WHEP. */
function openForeign(verify: VerifyToken, consultations: ConsultationRegistry, recorder: NodeAudit | undefined, metrics: ForeignMetrics, log: Logger): ForeignRoutes {
  const doors = new ForeignDoors({ verify, consultations, recorder, metrics, log })
  return new ForeignRoutes({ doors, clock: systemClock, log })
}

function connectionHost(
  verify: VerifyToken,
  consultations: ConsultationRegistry,
  recorder: NodeAudit | undefined,
  metrics: NodeMetrics,
  log: Logger,
): ConnectionHost {
  return {
    verify,
    admit: (admission, notify) => consultations.admit(admission, notify),
    countRequest: (type, outcome) => metrics.requests.inc({ type, outcome }),
    recorder,
    clock: systemClock,
    log,
  }
}

function health(pool: WorkerPool, consultations: ConsultationRegistry): Health {
  const running = pool.running.length
  const sessions = consultations.countSessions()
  return {
    status: running === 0 ? 'failing' : running < pool.size ? 'degraded' : 'ok',
    workers: { running, configured: pool.size },
    consultations: consultations.size,
    sessions: Object.values(sessions).reduce((sum, count) => sum + count, 0),
    publications: consultations.countPublications(),
  }
}

/** The registry's text, with the gauges that are true only at the moment of the scrape. */
function scrape(registry: Registry, metrics: NodeMetrics, pool: WorkerPool, consultations: ConsultationRegistry): Promise<string> {
  metrics.workers.set(pool.running.length)
  metrics.consultations.set(consultations.size)
  metrics.voices.set([...consultations.all()].reduce((sum, { voice }) => sum + voice.speakers.length, 0))
  const sessions = consultations.countSessions()
  for (const role of Object.keys(sessions) as Role[]) metrics.sessions.set({ role }, sessions[role])
  return registry.metrics()
}
