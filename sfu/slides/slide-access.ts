import { createHash } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { LRUCache } from 'lru-cache'
import { resetConnection } from '../../relay/runtime/connection-reset.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { Possession } from '../../relay/access/grants/proof-of-possession.ts'
import type { Admission, AdmissionHolder } from '../../relay/access/invitation.ts'
import type { AccessAction, GrantId } from '../../relay/wire/access.ts'
import type { ConsultationId, MemberId, SlideId } from '../../relay/wire/ids.ts'
import type { Role } from '../../relay/wire/signaling.ts'
import type { SlideCatalogue } from '../../relay/slides/transfer/slide-catalogue.ts'
import type { SlideRecord } from '../../relay/slides/store/slide-store.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Socket } from 'node:net'
import type { PeerCertificate } from 'node:tls'

/** Roles that have to do with slides, or stills. A microscope may show a slide of its consultation, see `reader` in `viewer-routes.ts`. */
export type SlideRole = Role

/** Verified tokens that are remembered, and for how long at most. */
const MAX_TOKENS = 1024
const TOKEN_LIFETIME_MILLIS = 60_000
/** As signaling takes it. */
const MAX_TOKEN_CHARACTERS = 4096

let mint: (admission: Admission, role: SlideRole) => SlideGrant

/** Proof that a request comes from somebody invited who has to do with slides. Only {@link SlideAccess} can make one. */
export class SlideGrant {
  readonly #consultationId: ConsultationId
  /** Aborts when it holds no longer, with the fault that says why. */
  readonly ended: AbortSignal
  readonly memberId: MemberId
  readonly role: SlideRole
  /** Null where an invitation decides. */
  readonly grantId: GrantId | null
  /** Who is behind it; null where an invitation decides. */
  readonly holder: AdmissionHolder | null

  static {
    mint = (admission, role) => new SlideGrant(admission, role)
  }

  private constructor({ consultationId, memberId, grantId, holder, expired }: Admission, role: SlideRole) {
    this.#consultationId = consultationId
    this.memberId = memberId
    this.role = role
    this.grantId = grantId
    this.holder = holder
    this.ended = expired
  }

  get consultationId(): ConsultationId {
    return this.#consultationId
  }

  /** A slide that this grant is for. @throws {RelayFault} `not_found`; `grant_refused` for one of another consultation. */
  slide(catalogue: SlideCatalogue, slideId: SlideId): SlideRecord {
    const record = catalogue.slide(slideId)
    if (record.consultationId !== this.#consultationId) throw new RelayFault('grant_refused', 'this slide belongs to another consultation')
    return record
  }
}

/** Turns a token into an admission, for whoever holds it. */
export type VerifyToken = (token: string, possession: Possession) => Promise<Admission>

/** What each role has to be allowed, to be let in by its door; roles that are not in it are not. */
export type AllowedRoles = Partial<Record<SlideRole, AccessAction | null>>

/** Whoever watches, whatever was granted. */
export const watching = (action: AccessAction | null): AllowedRoles => ({ viewer: action, technician: action })

type Asking = Pick<FastifyRequest, 'headers' | 'method' | 'url' | 'raw'>

/** How a request shows that its token is its own. */
export function possessionOf({ headers, method, url, raw }: Asking): Possession {
  const proof = headers['dpop']
  return { proof: typeof proof === 'string' ? proof : undefined, method, path: url.split('?', 1)[0] ?? '', certificateThumbprint: certificateThumbprint(raw.socket) }
}

/** SHA-256 of the client certificate of a connection, in base64url; undefined where there is none. @see RFC 8705 section 3.1 */
export function certificateThumbprint(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const { raw } = socket.getPeerCertificate() as Partial<PeerCertificate>
  return raw === undefined ? undefined : createHash('sha256').update(raw).digest('base64url')
}

/** The one place where it is decided who may ask for what over HTTP: who holds an invitation, or a grant with its proof, as `Authorization`. @see RFC 6750 section 2.1, RFC 9449 section 7.1 */
export class SlideAccess implements Disposable {
  readonly #verify: VerifyToken
  readonly #admissions = new LRUCache<string, Admission>({ max: MAX_TOKENS, ttl: TOKEN_LIFETIME_MILLIS, dispose: admission => admission.release() })
  /** A proof is good once, and a request may be looked at before and after its body came. */
  readonly #ofRequests = new WeakMap<object, Promise<Admission>>()

  constructor(verify: VerifyToken) {
    this.#verify = verify
  }

  /** @throws {RelayFault} `invitation_refused`, `invitation_expired`, `token_refused`, `replayed`; `grant_refused` for another role; `policy_refused` for what was not granted. */
  async grant(request: Asking, allowed: AllowedRoles): Promise<SlideGrant> {
    const admission = await this.#admitOnce(request)
    const action = allowed[admission.role]
    if (action === undefined) throw new RelayFault('grant_refused', `not for a ${admission.role}`)
    if (action === null) admission.expired.throwIfAborted()
    else admission.require(action)
    return mint(admission, admission.role)
  }

  [Symbol.dispose](): void {
    this.#admissions.clear()
  }

  #admitOnce(request: Asking): Promise<Admission> {
    const known = this.#ofRequests.get(request.raw)
    if (known !== undefined) return known
    const admitting = this.#admit(request)
    this.#ofRequests.set(request.raw, admitting)
    return admitting
  }

  async #admit(request: Asking): Promise<Admission> {
    const token = /^(?:Bearer|DPoP) ([\w.-]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined || token.length > MAX_TOKEN_CHARACTERS) throw new RelayFault('invitation_refused', 'an invitation is needed')
    // A dump of this process's memory needs no tokens in it.
    const key = createHash('sha256').update(token).digest('base64')
    const known = this.#admissions.get(key)
    if (known !== undefined) {
      known.expired.throwIfAborted()
      return known
    }
    const admission = await this.#verify(token, possessionOf(request))
    // A grant has to be proven to be the asker's each time.
    if (admission.grantId === null) this.#admissions.set(key, admission)
    return admission
  }
}

/**
 * Ends an answer, or a body that is still coming, when what it was asked by ends: the connection is cut, since nothing
 * else tells a client in the middle of a body. To be called before the first wait that follows the admission, wherever
 * an answer may take longer than a moment.
 *
 * @throws {RelayFault} why it ended, when it has.
 */
export function endWith(request: Pick<FastifyRequest, 'raw'>, reply: Pick<FastifyReply, 'raw'>, { ended }: Pick<SlideGrant, 'ended'>): void {
  const cut = (): void => resetConnection(request.raw.socket)
  ended.throwIfAborted()
  ended.addEventListener('abort', cut, { once: true })
  reply.raw.once('close', () => ended.removeEventListener('abort', cut))
}
