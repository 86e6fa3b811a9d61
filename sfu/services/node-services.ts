import { pipeline } from 'node:stream'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { bytes, millis } from '../../relay/wire/units.ts'
import { HTTP_STATUS } from '../http-status.ts'
import { ByteMeter } from './byte-meter.ts'
import { RunningRequest } from './running-request.ts'
import { ServiceAudit } from './service-audit.ts'
import { ANSWER_FIELDS, requestHeaders, responseHeaders } from './service-headers.ts'
import { NO_SERVICE } from './service-metrics.ts'
import { parseServiceTarget, rewriteLocation, SERVICES_PATH } from './service-path.ts'
import { ServicePools } from './service-pools.ts'
import { ServiceQuota } from './service-quota.ts'
import type { RegisteredService, RegistryView } from '../../relay/access/registry/registry.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { FacilityId, ServiceId } from '../../relay/wire/access.ts'
import type { FaultCode } from '../../relay/wire/fault.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Dispatcher } from 'undici'
import type { ResolveName } from './service-address.ts'
import type { ServiceGrant, ServiceRecord } from './service-audit.ts'
import type { ServiceMetrics } from './service-metrics.ts'
import type { ServiceTarget } from './service-path.ts'
import type { ServiceTls } from './service-pools.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const STATUS: Partial<Record<FaultCode, number>> = { ...HTTP_STATUS, out_of_range: 413, timeout: 504 }
/** How often it is looked whether the registry has expired under a request: nobody tells. */
const RECHECK_MILLIS = 500

/** What one request may take, and how many there may be. */
export const SERVICE_LIMITS = {
  requestBytes: bytes(1_000_000_000),
  responseBytes: bytes(10_000_000_000),
  connect: millis(5000),
  silence: millis(30_000),
  longest: millis(600_000),
  perNode: 512,
  perService: 64,
  perServiceAndFacility: 32,
}

/** What the services of a node stand on. */
export interface NodeServicesOptions {
  readonly registry: Pick<RegistryView, 'service' | 'changed'>
  /** Whose node this is. */
  readonly facilityId: FacilityId
  /** Who asks, and that they may. @throws {RelayFault} with the code that they are refused with. */
  readonly authorise: (request: FastifyRequest, action: 'use_service') => Promise<ServiceGrant>
  readonly audit: ServiceRecord
  readonly metrics: ServiceMetrics
  /** `Authorization` that this node shows to a service; never the caller's. */
  readonly credentials?: ReadonlyMap<ServiceId, string> | undefined
  readonly tls?: ServiceTls | undefined
  readonly resolve?: ResolveName | undefined
  readonly limits?: Partial<typeof SERVICE_LIMITS> | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** The routes below `/services`: the only way to a service that is registered; see `docs/SERVICES.md`. */
export class NodeServices implements AsyncDisposable {
  readonly #options: NodeServicesOptions
  readonly #limits: typeof SERVICE_LIMITS
  readonly #audit: ServiceAudit
  readonly #quota: ServiceQuota
  readonly #pools: ServicePools
  readonly #running = new Set<RunningRequest>()
  readonly #stopListening: () => void
  readonly #timer: NodeJS.Timeout

  constructor(options: NodeServicesOptions) {
    this.#options = options
    this.#limits = { ...SERVICE_LIMITS, ...options.limits }
    this.#audit = new ServiceAudit(options.audit, options.log)
    this.#quota = new ServiceQuota(this.#limits)
    this.#pools = new ServicePools({ tls: options.tls, resolve: options.resolve, connections: this.#limits.perService, connect: this.#limits.connect, silence: this.#limits.silence })
    this.#stopListening = options.registry.changed(() => this.#recheck())
    this.#timer = setInterval(() => this.#recheck(), RECHECK_MILLIS).unref()
  }

  /** Adds them to a server. */
  addTo(app: FastifyInstance): void {
    void app.register((scope, _options, done) => {
      this.#addRoutes(scope)
      done()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#stopListening()
    for (const running of this.#running) running.end(new RelayFault('unavailable', 'the node is stopping'))
    await this.#pools.close()
  }

  #addRoutes(app: FastifyInstance): void {
    app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
      // Where the body failed before it began, its fields are there.
      for (const name of ANSWER_FIELDS) void reply.removeHeader(name)
      const isClients = !(error instanceof RelayFault) && error.statusCode !== undefined && error.statusCode < 500
      const { code } = isClients ? new RelayFault('bad_message', 'refused by the server') : toFault(error)
      const status = isClients ? (error.statusCode ?? 400) : (STATUS[code] ?? 500)
      if (status === 500) this.#options.log.error({ err: error, method: request.method }, 'service request failed')
      if (status === 401) void reply.header('www-authenticate', 'Bearer, DPoP')
      if (status === 429 || status === 503) void reply.header('retry-after', '1')
      // The rest of a body that was refused is not waited for.
      if (hasBody(request)) void reply.header('connection', 'close')
      return reply.code(status).header('cache-control', 'no-store').send({ code })
    })
    // Bodies are not read here: they flow through.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    const handler = (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => this.#handle(request, reply)
    for (const url of [`${SERVICES_PATH}/:serviceId`, `${SERVICES_PATH}/:serviceId/*`]) app.route({ method: [...METHODS], url, bodyLimit: this.#limits.requestBytes, handler })
  }

  async #handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const target = this.#refusing(NO_SERVICE, () => readTarget(request, this.#limits.requestBytes))
    const grant = await this.#options.authorise(request, 'use_service').catch((error: unknown) => this.#refusing(this.#labelOf(target.serviceId), () => Promise.reject(error as Error)))
    let running: RunningRequest
    try {
      running = this.#begin(target.serviceId, grant)
    } catch (error) {
      const { code } = toFault(error)
      this.#options.metrics.requests.inc({ service: this.#labelOf(target.serviceId), outcome: code })
      this.#audit.refused(grant, target.serviceId, code)
      throw error
    }
    reply.raw.once('close', () => running.abandon())
    try {
      await this.#audit.used(grant, target.serviceId)
      running.signal.throwIfAborted()
      return await this.#forward(request, reply, target, running, fault => this.#audit.refused(grant, target.serviceId, fault.code))
    } catch (error) {
      const fault = running.settle(error) ?? toFault(error)
      this.#audit.refused(grant, target.serviceId, fault.code)
      throw fault
    }
  }

  #begin(serviceId: ServiceId, grant: ServiceGrant): RunningRequest {
    const { metrics, clock } = this.#options
    const service = this.#require(serviceId)
    const startedAt = clock.now()
    const leave = this.#quota.enter(service, grant.facilityId, startedAt)
    const running = new RunningRequest(service, grant, this.#limits.longest, outcome => {
      leave()
      this.#running.delete(running)
      metrics.requests.inc({ service: serviceId, outcome })
      metrics.running.dec({ service: serviceId })
      if (outcome === 'ok') metrics.duration.observe({ service: serviceId }, (clock.now() - startedAt) / 1000)
    })
    this.#running.add(running)
    metrics.running.inc({ service: serviceId })
    return running
  }

  async #forward(request: FastifyRequest, reply: FastifyReply, target: ServiceTarget, running: RunningRequest, failed: (fault: RelayFault) => void): Promise<FastifyReply> {
    const { credentials, metrics } = this.#options
    const { service, signal } = running
    const counting = (direction: 'in' | 'out') => (count: number) => metrics.bytes.inc({ service: service.id, direction }, count)
    const body = hasBody(request) ? uploadOf(request, new ByteMeter(this.#limits.requestBytes, counting('out'), tooLong)) : null
    const method = request.method as (typeof METHODS)[number]
    const headers = requestHeaders(request.headers, credentials?.get(service.id))
    const answer = await this.#pools.poolOf(service).request({ path: target.path, method, headers, body, signal })
    try {
      if (Number(answer.headers['content-length'] ?? 0) > this.#limits.responseBytes && method !== 'HEAD') throw tooMuch()
      for (const [name, value] of Object.entries(answerHeaders(answer, service, target))) void reply.header(name, value)
    } catch (error) {
      answer.body.on('error', () => undefined).destroy()
      throw error
    }
    void reply.code(answer.statusCode)
    const meter = new ByteMeter(this.#limits.responseBytes, counting('in'), tooMuch)
    // With an error the meter fails, and fastify cuts the connection: nothing else tells a client in the middle of a body.
    pipeline(answer.body, meter, error => {
      const fault = running.settle(error ?? undefined)
      if (fault !== undefined) failed(fault)
    })
    return reply.send(meter)
  }

  /** One that this node may forward to. @throws {RelayFault} `not_found`, `service_quarantined`, `unavailable`. */
  #require(serviceId: ServiceId): RegisteredService {
    const service = this.#options.registry.service(serviceId)
    if (service === undefined) throw new RelayFault('not_found', 'there is no such service')
    if (service.status === 'quarantined') throw new RelayFault('service_quarantined', 'the service is in quarantine')
    // Another facility's private address may be another machine here; only TLS tells.
    const isOurs = service.facilityId === this.#options.facilityId
    if (!isOurs && !service.origin.startsWith('https:')) throw new RelayFault('unavailable', 'without TLS a service is reached from its own facility only')
    return service
  }

  /** Ends what may not go on as the registry stands. */
  #recheck(): void {
    for (const running of this.#running) {
      try {
        const { origin, addresses } = this.#require(running.service.id)
        if (origin !== running.service.origin || addresses !== running.service.addresses) running.end(new RelayFault('unavailable', 'the service has moved'))
      } catch (error) {
        running.end(toFault(error))
      }
    }
    this.#pools.keep(id => this.#options.registry.service(id)?.status === 'active')
  }

  #labelOf(serviceId: ServiceId): string {
    return this.#options.registry.service(serviceId) === undefined ? NO_SERVICE : serviceId
  }

  #refusing<Result>(service: string, act: () => Result): Result {
    const count = (error: unknown): never => {
      this.#options.metrics.requests.inc({ service, outcome: toFault(error).code })
      throw error
    }
    try {
      const result = act()
      return (result instanceof Promise ? result.catch(count) : result) as Result
    } catch (error) {
      return count(error)
    }
  }
}

const tooLong = (): RelayFault => new RelayFault('out_of_range', 'the body is too long')
const tooMuch = (): RelayFault => new RelayFault('unavailable', 'the service answers too much')

const hasBody = ({ headers }: FastifyRequest): boolean => headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

function readTarget(request: FastifyRequest, limit: number): ServiceTarget {
  const target = parseServiceTarget(request.raw.url ?? '')
  const isBodiless = request.method === 'GET' || request.method === 'HEAD'
  if (isBodiless && hasBody(request)) throw new RelayFault('bad_message', 'this method has no body')
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLong()
  return target
}

/** The body as it comes. Not a pipeline: where it is too long, the connection is still needed for the answer. */
function uploadOf({ raw }: FastifyRequest, meter: ByteMeter): ByteMeter {
  raw.once('close', () => {
    if (!raw.readableEnded) meter.destroy(new RelayFault('bad_message', 'the body is not whole'))
  })
  // undici reads it, and tells by its promise.
  meter.on('error', () => raw.unpipe(meter))
  return raw.pipe(meter)
}

/** @throws {RelayFault} `unavailable` when a service sends callers elsewhere. */
function answerHeaders({ headers, statusCode }: Dispatcher.ResponseData, { origin }: RegisteredService, target: ServiceTarget): Record<string, string> {
  const answer = responseHeaders(headers)
  const { 'content-length': length, location, 'content-location': contentLocation } = headers
  if (typeof length === 'string') answer['content-length'] = length
  if (location !== undefined) {
    const rewritten = typeof location === 'string' ? rewriteLocation(location, origin, target) : undefined
    if (rewritten === undefined && statusCode >= 300 && statusCode < 400) throw new RelayFault('unavailable', 'the service sends callers elsewhere')
    if (rewritten !== undefined) answer['location'] = rewritten
  }
  const rewritten = typeof contentLocation === 'string' ? rewriteLocation(contentLocation, origin, target) : undefined
  if (rewritten !== undefined) answer['content-location'] = rewritten
  return answer
}
