import { z } from 'zod'
import { Enrolment, EnrolmentRequest } from '../access/pki/enrolment.ts'
import { thumbprintOf } from '../access/pki/certificate.ts'
import { RegistryContents } from '../access/registry/registry.ts'
import { NodeId, PractitionerId, ServiceId } from '../wire/access.ts'
import { RelayFault } from '../wire/fault.ts'
import { Sha256 } from '../wire/ids.ts'
import { AuditSearch } from '../wire/operator.ts'
import { overviewOf } from './operator-overview.ts'
import { NewOperator, OperatorRoster } from './operator-roster.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AuditQuestions } from '../access/core/audit-questions.ts'
import type { CoreDesk } from '../access/core/core-desk.ts'
import type { NodeReports } from '../access/core/node-reports.ts'
import type { PlatformCa } from '../access/pki/platform-ca.ts'
import type { LogSearch } from '../audit/log-search.ts'
import type { AuditActor, AuditEventInput } from '../wire/audit-event.ts'
import type { AuditSearchAnswer } from '../wire/operator.ts'
import type { Operator } from './operator.ts'

/** What operators may change of the registry in one go: everything but its version and its times. */
export const RegistryDraftBody = RegistryContents.omit({ version: true, issuedAtMillis: true, expiresAtMillis: true })
const Approval = z.strictObject({ facilityName: z.string().min(1).max(128).optional() })
const REGISTRY_LIMIT_BYTES = 16 * 1024 * 1024

/** What the routes stand on. */
export interface OperatorRoutesOptions {
  readonly stateDir: string
  readonly desk: CoreDesk
  readonly ca: PlatformCa
  readonly reports: NodeReports
  readonly questions: AuditQuestions
  /** The core's own log. */
  readonly logs: LogSearch
  /** Returns once it is recorded. @throws {RelayFault} `not_recorded`. */
  readonly record: (event: AuditEventInput) => Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** How a door tells who asks. @throws {RelayFault} for everybody but operators. */
export type TellOperator = (request: FastifyRequest) => Promise<Operator>

function read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value)
  if (!result.success) throw new RelayFault('bad_message', z.prettifyError(result.error))
  return result.data
}

/** What operators ask and change, the same at every door that lets them in. */
export class OperatorRoutes {
  readonly #options: OperatorRoutesOptions
  readonly #enrolment: Enrolment
  readonly #roster: OperatorRoster

  private constructor(options: OperatorRoutesOptions, enrolment: Enrolment) {
    this.#options = options
    this.#enrolment = enrolment
    this.#roster = new OperatorRoster({ ...options, registry: options.desk.registry })
  }

  static async open(options: OperatorRoutesOptions): Promise<OperatorRoutes> {
    const { stateDir, ca, desk, now, record } = options
    const enrolment = await Enrolment.open({ folder: stateDir, ca, registry: desk.registry, now, record: (tidings, actor) => record({ ...tidings, atMillis: now(), actor }) })
    return new OperatorRoutes(options, enrolment)
  }

  /** Adds them to a door, below `/operator`. */
  addTo(app: FastifyInstance, tellOperator: TellOperator): void {
    const operators = new WeakMap<FastifyRequest, Operator>()
    const by = (request: FastifyRequest): AuditActor => operators.get(request)?.actor ?? {}
    void app.register((scope, _options, done) => {
      // Before a body is read: whoever is no operator costs nothing.
      scope.addHook('onRequest', async (request, reply) => {
        void reply.header('cache-control', 'no-store')
        operators.set(request, await tellOperator(request))
      })
      this.#addRegistry(scope, by)
      this.#addMembers(scope, by)
      this.#addAudit(scope, by)
      scope.get('/overview', async request => {
        const { desk, reports, ca, now } = this.#options
        const operator = operators.get(request)
        if (operator === undefined) throw new RelayFault('sign_in_required', 'this is for operators')
        return overviewOf({ desk, reports, issued: ca.issued, pending: await this.#enrolment.pending() }, operator, now())
      })
      done()
    }, { prefix: '/operator' })
  }

  #addRegistry(app: FastifyInstance, by: (request: FastifyRequest) => AuditActor): void {
    const { desk, ca, record, now } = this.#options
    app.get('/registry', () => desk.registry.contents)
    app.put('/registry', { bodyLimit: REGISTRY_LIMIT_BYTES }, async request => {
      const draft = read(RegistryDraftBody, request.body)
      // Recorded first: a registry that nobody can tell the origin of is none.
      await record({ kind: 'configuration', atMillis: now(), actor: by(request), what: 'registry', version: desk.registry.contents.version + 1 })
      return desk.registry.edit(() => draft)
    })
    app.get('/standing', () => ({ listeners: desk.listeners, registryVersion: desk.registry.contents.version, consultations: desk.store.consultations(), consents: desk.store.consents(), certificates: ca.issued }))
    for (const [path, from, to] of [['quarantine', 'active', 'quarantined'], ['release', 'quarantined', 'active']] as const) {
      app.post<{ Params: { service: string } }>(`/services/:service/${path}`, async request => {
        const serviceId = read(ServiceId, request.params.service)
        const service = desk.registry.contents.services.find(({ id }) => id === serviceId)
        if (service === undefined) throw new RelayFault('not_found', 'no service of this name is in the registry')
        if (service.status !== from) throw new RelayFault('conflict', `this service is ${service.status}`)
        await record({ kind: 'configuration', atMillis: now(), actor: by(request), what: 'service', serviceId, version: desk.registry.contents.version + 1 })
        await desk.registry.edit(draft => ({ ...draft, services: draft.services.map(each => (each.id === serviceId ? { ...each, status: to } : each)) }))
        return { status: to }
      })
    }
  }

  #addMembers(app: FastifyInstance, by: (request: FastifyRequest) => AuditActor): void {
    const enrolment = this.#enrolment
    const { ca } = this.#options
    app.get('/requests', async () => {
      const { waiting, unreadable } = await enrolment.pending()
      return { unreadable, waiting: waiting.map(({ keyThumbprint, request: { facilityId, nodeId, kind, hostNames } }) => ({ keyThumbprint, facilityId, nodeId, kind, hostNames })) }
    })
    app.post('/requests', async request => ({ keyThumbprint: await enrolment.bring(read(EnrolmentRequest, request.body)) }))
    app.post<{ Params: { key: string } }>('/requests/:key/approve', async request => {
      const answer = await enrolment.approve(read(Sha256, request.params.key), by(request), read(Approval, request.body).facilityName)
      const root = Buffer.from(ca.rootPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
      return { answer, root: thumbprintOf(root) }
    })
    app.get<{ Params: { key: string } }>('/answers/:key', (request, reply) => {
      void reply.header('content-disposition', 'attachment; filename="answer.json"')
      return enrolment.answerFor(read(Sha256, request.params.key))
    })
    app.post<{ Params: { key: string } }>('/requests/:key/reject', async request => {
      await enrolment.reject(read(Sha256, request.params.key), by(request))
      return {}
    })
    app.post<{ Params: { node: string } }>('/machines/:node/revoke', async request => ({ revoked: await enrolment.revoke(read(NodeId, request.params.node), by(request)) }))
    app.post('/operators', async request => ({ chainPem: await this.#roster.add(read(NewOperator, request.body), by(request)), trustPem: ca.trustPem }))
    app.post<{ Params: { practitioner: string } }>('/practitioners/:practitioner/revoke', async request => {
      await this.#roster.revoke(read(PractitionerId, request.params.practitioner), by(request))
      return {}
    })
  }

  #addAudit(app: FastifyInstance, by: (request: FastifyRequest) => AuditActor): void {
    const { desk, logs, questions, record, now } = this.#options
    app.post('/audit/search', async (request): Promise<AuditSearchAnswer> => {
      const search = read(AuditSearch, request.body)
      // Whoever looks at the record is in it.
      await record({ kind: 'access', atMillis: now(), actor: by(request), access: 'administer', consultationId: search.consultationId ?? null, outcome: 'ok' })
      const [own, others] = await Promise.all([logs.find(search, now()), questions.ask(search, (id, wanted) => desk.askLogs(id, wanted))])
      return { logs: [{ nodeId: null, findings: own }, ...[...others].map(([nodeId, findings]) => ({ nodeId, findings }))] }
    })
  }
}
