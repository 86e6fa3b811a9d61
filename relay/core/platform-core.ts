import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import fastify from 'fastify'
import { Certificate } from 'pkijs'
import { ConsentDesk } from '../access/consent/consent-desk.ts'
import { ConsentSignatures } from '../access/consent/consent-signature.ts'
import { ConsentRoutes } from '../access/core/consent-routes.ts'
import { AuditQuestions } from '../access/core/audit-questions.ts'
import { CoreDesk } from '../access/core/core-desk.ts'
import { CoreRoutes } from '../access/core/core-routes.ts'
import { CoreStore } from '../access/core/core-store.ts'
import { addNodeRoutes } from '../access/core/node-routes.ts'
import { NodeReports } from '../access/core/node-reports.ts'
import { MembersDoor } from '../access/doors/members-door.ts'
import { presenterOf } from '../access/doors/presenter.ts'
import { RenewalBody, renewCertificate } from '../access/pki/certificate-renewal.ts'
import { createRequest } from '../access/pki/certificate-request.ts'
import { CRL_RENEWAL_MILLIS, PlatformCa } from '../access/pki/platform-ca.ts'
import { AccessPolicy } from '../access/policy/access-policy.ts'
import { RegistryLedger } from '../access/registry/registry-ledger.ts'
import { SnapshotSigner } from '../access/registry/snapshot.ts'
import { loadAuditKey } from '../audit/audit-key.ts'
import { FileAuditLog } from '../audit/file-audit-log.ts'
import { LogSearch } from '../audit/log-search.ts'
import { replaceDurably } from '../runtime/durable-file.ts'
import { FacilityId, NodeId } from '../wire/access.ts'
import { RelayFault } from '../wire/fault.ts'
import { Sha256 } from '../wire/ids.ts'
import { loadRegionKey, loadRegistryKey } from './core-keys.ts'
import { operatorOf } from './operator.ts'
import { OperatorDoor } from './operator-door.ts'
import { addOperatorPage } from './operator-page.ts'
import { OperatorRoutes } from './operator-routes.ts'
import { refuseByCode } from './refusals.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ConsentTidings } from '../access/core/consent-routes.ts'
import type { CorePeer } from '../access/core/core-routes.ts'
import type { Logger } from '../runtime/log.ts'
import type { AuditEventInput } from '../wire/audit-event.ts'
import type { CoreConfig } from './core-config.ts'
import type { Operator } from './operator.ts'

const HOUR_MILLIS = 3_600_000
/** The core's own certificate is issued anew so often; timers wait no longer than 24 days. */
const SELF_RENEWAL_MILLIS = 20 * 24 * HOUR_MILLIS
/** The core among facilities, and its own name there. */
const PLATFORM = FacilityId.parse('platform')
const CORE = NodeId.parse('core')

/** The platform's core, running: what everybody's rights come from. The one place where its parts are put together. */
export class PlatformCore implements AsyncDisposable {
  readonly desk: CoreDesk
  readonly ca: PlatformCa
  /** Port of the door for nodes and agents. */
  readonly port: number
  readonly operatorPort: number
  readonly #scope: AsyncDisposableStack
  #closing: Promise<void> | undefined

  private constructor(desk: CoreDesk, ca: PlatformCa, ports: { readonly members: number; readonly operators: number }, scope: AsyncDisposableStack) {
    this.desk = desk
    this.ca = ca
    this.port = ports.members
    this.operatorPort = ports.operators
    this.#scope = scope
  }

  /** @throws {RelayFault} `bad_config`, `address_in_use`, `bad_audit_log` or `not_recorded`; then nothing stays open. */
  static async open(config: CoreConfig, log: Logger): Promise<PlatformCore> {
    await using scope = new AsyncDisposableStack()
    const { stateDir, listenHost: host, listenPort: port } = config
    await mkdir(stateDir, { recursive: true, mode: 0o700 })
    const now = (): number => Date.now()
    const audit = scope.use(await FileAuditLog.open({ directory: join(stateDir, 'audit'), key: await loadAuditKey(stateDir), nowMillis: now, log }))
    const ca = await PlatformCa.open(join(stateDir, 'ca'), 'Kenkyo Platform', now())
    const registry = await RegistryLedger.open({ folder: stateDir, signer: await SnapshotSigner.open(await loadRegistryKey(stateDir)), lifetimeMillis: config.registryLifetimeHours * HOUR_MILLIS, now })
    const store = scope.use(new CoreStore(stateDir))
    const desk = scope.use(new CoreDesk({ registry, store, revocations: ca, now }))
    const consents = await openConsents(config, desk, await loadRegionKey(stateDir))
    const recordEvent = (event: AuditEventInput): Promise<void> => audit.record(event).then(() => undefined)
    const [reports, questions] = [new NodeReports(), new AuditQuestions()]
    const operatorRoutes = await OperatorRoutes.open({ stateDir, desk, ca, reports, questions, logs: new LogSearch({ directory: join(stateDir, 'audit'), keyFolder: stateDir, log }), record: recordEvent, now })
    const policy = await AccessPolicy.read(config.policiesDir)
    const record = (tidings: ConsentTidings): Promise<void> => audit.record(eventOf(tidings, now())).then(() => undefined)

    const app = scope.adopt(membersApp(log), it => it.close())
    new CoreRoutes({ desk, authenticate: request => peerOf(request, desk) }).addTo(app)
    if (consents !== undefined) new ConsentRoutes({ desk: consents, authenticate: request => peerOf(request, desk), record }).addTo(app)
    addNodeRoutes(app, { reports, questions, authenticate: request => peerOf(request, desk), now })
    addOperatorPage(app)
    operatorRoutes.addTo(app, request => operatorAt(request, { desk, policy, record: recordEvent, now }))
    const renewal = setInterval(() => void ca.publishCrls(now()).catch((err: unknown) => log.error({ err }, 'the revocation lists cannot be made anew')), CRL_RENEWAL_MILLIS)
    scope.defer(() => clearInterval(renewal))
    app.post('/core/renewal', async request => {
      const { facilityId, nodeId, kind } = peerOf(request, desk)
      const body = RenewalBody.safeParse(request.body)
      const presented = request.raw.socket instanceof TLSSocket ? request.raw.socket.getPeerX509Certificate()?.raw : undefined
      if (!body.success || presented === undefined) throw new RelayFault('bad_message', 'the request cannot be read')
      const { entry, chainPem } = await renewCertificate(ca, presented, body.data.requestPem, kind, now())
      await audit.record({ kind: 'ceremony', step: 'renewed', atMillis: now(), actor: { facilityId }, facilityId, nodeId, certificate: entry.thumbprint })
      return { chainPem }
    })
    app.get('/core/crl', (_request, reply) => reply.type('application/x-pem-file').send(readFile(join(stateDir, 'ca', 'crl.pem'))))
    await app.ready()
    const files = await certifySelf(ca, stateDir, config.hostNames, now())
    const upkeep = setInterval(() => void certifySelf(ca, stateDir, config.hostNames, now()).catch((err: unknown) => log.error({ err }, 'the core\'s own certificate cannot be made anew')), SELF_RENEWAL_MILLIS)
    scope.defer(() => clearInterval(upkeep))
    const door = scope.adopt(await MembersDoor.open({ host, port, ...files, server: app.server, registry: revocationsOf(registry), log }), it => it.close())
    const operators = scope.use(await OperatorDoor.open({ port: config.operatorPort, stateDir, routes: operatorRoutes, log }))
    return new PlatformCore(desk, ca, { members: door.port, operators: operators.port }, scope.move())
  }

  /** Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#scope.disposeAsync())
  }
}

function membersApp(log: Logger): FastifyInstance {
  const app = fastify({ logger: false, bodyLimit: 64 * 1024, forceCloseConnections: true })
  refuseByCode(app, log)
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ code: 'not_found' }))
  return app
}

/** Who asks, by certificate and registry. @throws {RelayFault} `certificate_refused` or `registry_refused`. */
function peerOf({ raw }: FastifyRequest, { registry: { contents } }: CoreDesk): CorePeer {
  const { nodeId, facilityId } = presenterOf(raw)
  if (nodeId === undefined || facilityId === undefined) throw new RelayFault('certificate_refused', 'the certificate names no machine of a facility')
  const node = contents.nodes.find(({ id }) => id === nodeId)
  const isActive = contents.facilities.some(({ id, status }) => id === facilityId && status === 'active')
  if (node?.status !== 'active' || node.facilityId !== facilityId || !isActive) throw new RelayFault('registry_refused', 'this machine is not in the registry')
  return { nodeId, facilityId, kind: node.kind }
}

/** Who operates, at the members' door. What another site's page sends along with the browser's certificate is nobody's. @see W3C Fetch Metadata, section 2.3 */
async function operatorAt({ raw, headers }: FastifyRequest, { desk, policy, record, now }: { readonly desk: CoreDesk; readonly policy: AccessPolicy; readonly record: (event: AuditEventInput) => Promise<void>; readonly now: () => number }): Promise<Operator> {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin') throw new RelayFault('policy_refused', 'this is asked from another page')
  return operatorOf(raw, desk.registry.contents, policy, actor => record({ kind: 'access', atMillis: now(), actor, access: 'administer', consultationId: null, outcome: 'policy_refused' }))
}

function revocationsOf(registry: RegistryLedger) {
  return { isRevoked: (thumbprint: string) => registry.contents.revokedCertificates.some(each => each === thumbprint), changed: (listener: () => void) => registry.changed(listener) }
}

async function openConsents({ cardCaFile }: CoreConfig, desk: CoreDesk, regionKey: Uint8Array): Promise<ConsentDesk | undefined> {
  if (cardCaFile === undefined) return undefined
  const { store } = desk
  return new ConsentDesk(
    new ConsentSignatures(await readCardCas(cardCaFile)),
    {
      consent: id => store.consent(id),
      signed: id => store.signed(id),
      consultation: id => store.consultation(id),
      add: desk.addConsent.bind(desk),
      withdraw: desk.withdrawConsent.bind(desk),
    },
    regionKey,
  )
}

async function readCardCas(path: string): Promise<Certificate[]> {
  try {
    const pem = await readFile(path, 'latin1')
    const bodies = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END/g)].map(([, body = '']) => Buffer.from(body, 'base64'))
    if (bodies.length === 0) throw new TypeError('no certificate')
    return bodies.map(body => Certificate.fromBER(new Uint8Array(body).buffer))
  } catch (cause) {
    throw new RelayFault('bad_config', 'the certificates of card authorities cannot be read', { cause })
  }
}

/** The core's own certificate, issued anew at each start and from time to time; the door reads it anew. */
async function certifySelf(ca: PlatformCa, stateDir: string, hostNames: readonly string[], nowMillis: number) {
  const files = { certFile: join(stateDir, 'core.pem'), keyFile: join(stateDir, 'core-key.pem'), caFile: join(stateDir, 'trust.pem'), crlFile: join(stateDir, 'ca', 'crl.pem') }
  const { keyPem, requestPem } = await createRequest(CORE)
  const { chainPem } = await ca.issue(requestPem, { facilityId: PLATFORM, nodeId: CORE, kind: 'node', dnsNames: hostNames }, nowMillis)
  await replaceDurably(files.caFile, ca.trustPem)
  await replaceDurably(files.keyFile, keyPem)
  await replaceDurably(files.certFile, chainPem)
  return files
}

function eventOf(tidings: ConsentTidings, atMillis: number): AuditEventInput {
  const who = { atMillis, actor: { facilityId: tidings.facilityId } }
  if (tidings.kind === 'withdrawal') return { kind: 'withdrawal', ...who, consentId: tidings.consentId, by: tidings.by, endedGrants: [] }
  const { statement } = tidings
  const sha256 = Sha256.parse(createHash('sha256').update(JSON.stringify(statement)).digest('hex'))
  return { kind: 'consent', ...who, consentId: statement.consentId, validUntilMillis: statement.validUntilMillis, sha256 }
}
