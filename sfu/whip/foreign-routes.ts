import { LRUCache } from 'lru-cache'
import { possessionOf } from '../slides/slide-access.ts'
import { RelayFault, toFault } from '../../relay/wire/fault.ts'
import { OVERVIEW, WHOLE } from '../../relay/wire/ids.ts'
import { TokenBucket } from '../signaling/token-bucket.ts'
import { ICE_FRAGMENT_TYPE, readIceFragment } from './ice-fragment.ts'
import { PASSING, PROBLEM_TYPE, problemOf } from './problem.ts'
import type { Admission } from '../../relay/access/invitation.ts'
import type { Clock } from '../../relay/runtime/clock.ts'
import type { Logger } from '../../relay/runtime/log.ts'
import type { RenditionId } from '../../relay/wire/ids.ts'
import type { IceServer } from '../../relay/wire/webrtc.ts'
import type { ForeignDoors } from './foreign-doors.ts'
import type { ForeignProtocol } from './foreign-session.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

const SDP_TYPE = 'application/sdp'
/** Offers of one member of one consultation that are looked at: so many at once, so many a second. */
const OFFERS = { perSecond: 2, burst: 20 } as const
/** Members whose offers are counted; of more, whoever asked longest ago begins anew. */
const MAX_COUNTED_MEMBERS = 4096
const RETRY_AFTER_SECONDS = '2'
/** Any page may ask: what lets in is the invitation, which no browser sends by itself. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Location, ETag, Link, Accept-Patch, Retry-After, WWW-Authenticate',
} as const

/** A refusal for which HTTP has a status of its own. */
class HttpRefusal extends RelayFault {
  readonly status: number

  constructor(status: number, message: string) {
    super('bad_message', message)
    this.status = status
  }
}

/** What the routes stand on. */
export interface ForeignRoutesOptions {
  readonly doors: ForeignDoors
  readonly clock: Clock
  readonly log: Logger
}

/** The endpoints `/whip` and `/whep` and their sessions. `docs/WHIP.md` says what of the standards they do. @see RFC 9725, draft-ietf-wish-whep-04 */
export class ForeignRoutes {
  readonly #options: ForeignRoutesOptions
  /** By request, where a proof of possession came with it: it is good once. */
  readonly #granted = new WeakMap<object, Admission>()
  readonly #offers = new LRUCache<string, TokenBucket>({ max: MAX_COUNTED_MEMBERS })

  constructor(options: ForeignRoutesOptions) {
    this.#options = options
  }

  /** Adds them to a server. */
  addTo(app: FastifyInstance): void {
    for (const protocol of ['whip', 'whep'] as const) {
      void app.register(
        scope => {
          this.#prepare(scope)
          this.#addEndpoint(scope, protocol)
          this.#addSession(scope, protocol)
          return Promise.resolve()
        },
        { prefix: `/${protocol}` },
      )
    }
  }

  #prepare(scope: FastifyInstance): void {
    // Bodies are text; which type they must be of is said with each method.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
    scope.addHook('onRequest', async (_request, reply) => void reply.headers({ ...CORS, 'cache-control': 'no-store' }))
    scope.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => this.#refuse(error, reply))
  }

  #addEndpoint(scope: FastifyInstance, protocol: ForeignProtocol): void {
    const url = '/'
    this.#addCommon(scope, protocol, url, 'OPTIONS, GET, HEAD, POST')
    scope.options(url, (_request, reply) => allow(reply, 'POST, GET, HEAD, OPTIONS').header('accept-post', SDP_TYPE).send())
    scope.post<{ Querystring: Record<string, unknown> }>(url, { onRequest: this.#requireInvitation(protocol) }, async (request, reply) => {
      requireType(request, SDP_TYPE)
      requireAccept(request)
      const { doors } = this.#options
      const rendition = protocol === 'whep' ? renditionIn(request.query) : OVERVIEW
      const admission = await this.#admitOffer(request, protocol)
      const body = textOf(request)
      const { session, answer, iceServers } = await (protocol === 'whip' ? doors.openWhip(admission, body) : doors.openWhep(admission, body, rendition))
      return reply
        .code(201)
        .headers({ location: `/${protocol}/sessions/${session.id}`, etag: session.etag, 'accept-patch': ICE_FRAGMENT_TYPE, ...(iceServers.length === 0 ? {} : { link: iceServers.flatMap(linksOf) }) })
        .type(SDP_TYPE)
        .send(answer)
    })
  }

  /** Who makes an offer, if it has not made too many. */
  async #admitOffer(request: FastifyRequest, protocol: ForeignProtocol): Promise<Admission> {
    const { clock } = this.#options
    const admission = await this.#admit(request, protocol)
    const key = `${admission.consultationId} ${admission.memberId}`
    const now = clock.now()
    const bucket = this.#offers.get(key) ?? new TokenBucket(OFFERS.perSecond, OFFERS.burst, now)
    this.#offers.set(key, bucket)
    if (bucket.take(now)) return admission
    admission.release()
    throw new RelayFault('rate_limited', 'too many offers')
  }

  #addSession(scope: FastifyInstance, protocol: ForeignProtocol): void {
    const url = '/sessions/:id'
    this.#addCommon(scope, protocol, url, 'OPTIONS, GET, HEAD, PATCH, DELETE')
    scope.options(url, (_request, reply) => allow(reply, 'PATCH, DELETE, GET, HEAD, OPTIONS').header('accept-patch', ICE_FRAGMENT_TYPE).send())
    scope.patch<{ Params: { id: string } }>(url, { onRequest: this.#requireInvitation(protocol) }, async (request, reply) => {
      const session = await this.#session(request, protocol)
      requireType(request, ICE_FRAGMENT_TYPE)
      const ifMatch = request.headers['if-match']
      if (ifMatch === undefined) throw new HttpRefusal(428, 'If-Match has to say which ICE session is meant')
      const fragment = readIceFragment(textOf(request))
      if (!session.matches(ifMatch)) throw new HttpRefusal(412, 'that ICE session is over')
      const outcome = await session.patch(fragment)
      if (!outcome.isRestarted) return reply.code(204).send()
      return reply.code(200).header('etag', session.etag).type(ICE_FRAGMENT_TYPE).send(outcome.fragment)
    })
    scope.delete<{ Params: { id: string } }>(url, async (request, reply) => {
      const { member } = await this.#session(request, protocol)
      member.close(new RelayFault('unavailable', 'the client left'))
      return reply.code(200).send()
    })
  }

  /** GET has nothing to show; what else there is not, is said so. @see RFC 9725 section 4.1 */
  #addCommon(scope: FastifyInstance, protocol: ForeignProtocol, url: string, allowed: string): void {
    const isSession = url !== '/'
    scope.get<{ Params: { id: string } }>(url, async (request, reply) => {
      if (isSession) await this.#session(request, protocol)
      return reply.code(204).send()
    })
    const others = isSession ? ['POST', 'PUT'] : ['PATCH', 'PUT', 'DELETE']
    scope.route({
      method: others,
      url,
      handler: (_request, reply) => {
        void reply.header('allow', allowed)
        throw new HttpRefusal(405, `allowed are ${allowed}`)
      },
    })
  }

  /** Who asks. @throws {RelayFault} as `ForeignDoors.admit`; why it ended, for a grant that ended since the request began. */
  async #admit(request: FastifyRequest, protocol: ForeignProtocol): Promise<Admission> {
    const known = this.#granted.get(request.raw)
    known?.expired.throwIfAborted()
    if (known !== undefined) return known
    const admission = await this.#options.doors.admit(request.headers.authorization, protocol, possessionOf(request))
    if (admission.grantId !== null) this.#granted.set(request.raw, admission)
    return admission
  }

  /** Refuses who is not invited before a body is read. */
  #requireInvitation(protocol: ForeignProtocol): (request: FastifyRequest) => Promise<void> {
    return async request => {
      const admission = await this.#admit(request, protocol)
      admission.release()
    }
  }

  async #session(request: FastifyRequest<{ Params: { id: string } }>, protocol: ForeignProtocol): Promise<ReturnType<ForeignDoors['session']>> {
    const admission = await this.#admit(request, protocol)
    admission.release()
    return this.#options.doors.session(request.params.id, protocol, admission)
  }

  #refuse(error: Error & { statusCode?: number }, reply: FastifyReply): FastifyReply {
    // fastify's own refusals of a body: too long, or not of the length that it says.
    const isServers = !(error instanceof RelayFault) && error.statusCode !== undefined && error.statusCode < 500
    const fault = isServers ? new HttpRefusal(error.statusCode ?? 400, 'the request cannot be read') : toFault(error)
    const problem = problemOf(fault, fault instanceof HttpRefusal ? fault.status : undefined)
    const { status } = problem
    if (status === 500) this.#options.log.error({ err: error }, 'WHIP or WHEP request failed')
    if (status === 401) void reply.header('www-authenticate', 'Bearer')
    if (PASSING.has(status)) void reply.header('retry-after', RETRY_AFTER_SECONDS)
    return reply.code(status).type(PROBLEM_TYPE).send(Buffer.from(JSON.stringify(problem)))
  }
}

function allow(reply: FastifyReply, methods: string): FastifyReply {
  return reply.code(200).headers({
    allow: methods,
    'access-control-allow-methods': methods,
    'access-control-allow-headers': 'Authorization, Content-Type, If-Match',
    'access-control-max-age': '86400',
  })
}

const mediaType = (value: string): string => (value.split(';')[0] ?? '').trim().toLowerCase()

function requireType({ headers }: FastifyRequest, type: string): void {
  if (mediaType(headers['content-type'] ?? '') !== type) throw new HttpRefusal(415, `the body has to be ${type}`)
}

/** An answer is SDP or nothing. @see RFC 9110 section 12.5.1 */
function requireAccept({ headers }: FastifyRequest): void {
  const accepted = (headers.accept ?? '*/*').split(',').map(mediaType)
  if (!accepted.some(type => ['*/*', 'application/*', SDP_TYPE].includes(type))) throw new HttpRefusal(406, `the answer is ${SDP_TYPE}`)
}

const textOf = ({ body }: FastifyRequest): string => (typeof body === 'string' ? body : '')

function renditionIn(query: Record<string, unknown>): RenditionId {
  const { rendition = OVERVIEW } = query
  const known = [OVERVIEW, WHOLE].find(id => id === rendition)
  if (known === undefined) throw new RelayFault('bad_message', 'the rendition is overview or whole')
  return known
}

/** @see RFC 9725 section 4.6, RFC 8288 section 3 */
function linksOf({ urls, username, credential }: IceServer): string[] {
  const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`
  return urls.map(url => `<${url}>; rel="ice-server"; username=${quoted(username)}; credential=${quoted(credential)}; credential-type="password"`)
}
