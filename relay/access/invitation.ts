import { calculateJwkThumbprint, errors, exportJWK, generateKeyPair, importJWK, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { RelayFault } from '../wire/fault.ts'
import { ConsultationId, MemberId } from '../wire/ids.ts'
import { ROLES } from '../wire/signaling.ts'
import type { AccessAction, FacilityId, GrantId, NodeId, PracticeRole, PractitionerId } from '../wire/access.ts'
import type { GrantedMedia } from '../wire/admission.ts'
import type { Role } from '../wire/signaling.ts'
import type { CryptoKey, JWK } from 'jose'

const AUDIENCE = 'kenkyo'
const ALGORITHM = 'EdDSA'
/** Clocks of two machines may differ by this much: an invitation is good for so long after its time. */
const CLOCK_TOLERANCE_SECONDS = 2
/** `setTimeout` cannot wait longer than this. */
const LONGEST_TIMER_MILLIS = 2 ** 31 - 1

const Claims = z.looseObject({
  aud: z.literal(AUDIENCE),
  sub: MemberId,
  exp: z.int(),
  jti: z.uuid(),
  consultation: ConsultationId,
  role: z.enum(ROLES),
})

/** What a member may do once invited, by signaling role, on a node that stands alone. */
export const ACTIONS_OF_ROLE: Readonly<Record<Role, ReadonlySet<AccessAction>>> = {
  microscope: new Set(['publish_live']),
  viewer: new Set(['view_live', 'speak', 'point', 'steer_stage', 'keep_still', 'record', 'view_recording', 'view_slide', 'annotate', 'export_slide', 'use_service']),
  technician: new Set(['view_live', 'speak', 'point', 'steer_stage', 'annotate', 'keep_still', 'record', 'view_recording']),
  scanner: new Set(['send_slide']),
}

/** What an admission says. */
export interface AdmissionTerms {
  readonly consultationId: ConsultationId
  readonly memberId: MemberId
  readonly role: Role
}

/** Who stands behind an admission, as far as it was proven. */
export interface AdmissionHolder {
  readonly practiceRole: PracticeRole
  readonly facilityId: FacilityId
  /** Null for a machine. */
  readonly practitionerId: PractitionerId | null
  /** Null for a person. */
  readonly nodeId: NodeId | null
  readonly isEmergency: boolean
}

/** The permission that an admission stands on, for as long as that lives. */
export interface AdmissionBasis {
  readonly grantId: GrantId | null
  /** Without it nobody was asked who they are. */
  readonly holder?: AdmissionHolder
  /** May change: a grant is renewed with what is permitted by then. */
  readonly actions: ReadonlySet<AccessAction>
  /** What may flow over a link; without it, or with null, whatever there is. */
  readonly media?: GrantedMedia | null
  /** Milliseconds since the epoch; may grow. */
  readonly validUntilMillis: number
  /** Its holder is inside from then on. @returns To be called once it has left. */
  readonly enter?: () => () => void
  /** Aborts with the fault that says why. */
  readonly ended: AbortSignal
}

/** Makes an admission. Only verifiers of invitations and grants call it; `test/architecture.test.ts` holds them to it. */
export let mintAdmission: (terms: AdmissionTerms, basis: AdmissionBasis, release?: () => void) => Admission

/**
 * Proof that an invitation or a grant for one consultation, in one role, was verified. Nothing that joins a
 * consultation, or asks for anything of it, takes anything else.
 */
export class Admission {
  readonly consultationId: ConsultationId
  readonly memberId: MemberId
  readonly role: Role
  readonly #basis: AdmissionBasis
  readonly #release: () => void

  static {
    mintAdmission = (terms, basis, release = () => undefined) => new Admission(terms, basis, release)
  }

  private constructor({ consultationId, memberId, role }: AdmissionTerms, basis: AdmissionBasis, release: () => void) {
    this.consultationId = consultationId
    this.memberId = memberId
    this.role = role
    this.#basis = basis
    this.#release = release
  }

  /** The grant that it stands on; null for an invitation. */
  get grantId(): GrantId | null {
    return this.#basis.grantId
  }

  /** Who is behind it; null for an invitation. */
  get holder(): AdmissionHolder | null {
    return this.#basis.holder ?? null
  }

  /** Milliseconds since the epoch. Grows when the grant is renewed. */
  get validUntilMillis(): number {
    return this.#basis.validUntilMillis
  }

  /** What its holder may do at this moment. */
  get actions(): ReadonlySet<AccessAction> {
    return this.#basis.actions
  }

  /** What may flow to or from its holder over a link; null: whatever there is. */
  get media(): GrantedMedia | null {
    return this.#basis.media ?? null
  }

  /** Aborts with the fault that says why the moment it holds no longer: expired, withdrawn, revoked. */
  get expired(): AbortSignal {
    return this.#basis.ended
  }

  /** Whether its holder may do this at this moment. */
  allows(action: AccessAction): boolean {
    return !this.expired.aborted && this.actions.has(action)
  }

  /** @throws {RelayFault} `policy_refused` for what was not granted; why it ended, when it has. */
  require(action: AccessAction): void {
    this.expired.throwIfAborted()
    if (!this.actions.has(action)) throw new RelayFault('policy_refused', 'this was not granted')
  }

  /** Its holder is inside from now on. @returns To be called once it has left. */
  enter(): () => void {
    return this.#basis.enter?.() ?? (() => undefined)
  }

  /** It is no longer used: stops what watches an invitation's time. A grant lives on. Idempotent. */
  release(): void {
    this.#release()
  }
}

/** Aborts a controller at a time, however far away. */
export class Deadline {
  readonly #controller: AbortController
  readonly #reason: () => RelayFault
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined

  /**
   * @param reason - Made when the time has come.
   * @param now - The wall clock, in milliseconds since the epoch.
   */
  constructor(controller: AbortController, reason: () => RelayFault, now: () => number = Date.now) {
    this.#now = now
    this.#controller = controller
    this.#reason = reason
  }

  /** Takes the place of the time before. @param epochMillis - One that has passed aborts at once. */
  set(epochMillis: number): void {
    this.clear()
    const remaining = epochMillis - this.#now()
    if (remaining <= 0) this.#controller.abort(this.#reason())
    else this.#timer = setTimeout(() => this.set(epochMillis), Math.min(remaining, LONGEST_TIMER_MILLIS)).unref()
  }

  /** Aborts nothing any more. */
  clear(): void {
    clearTimeout(this.#timer)
  }
}

function admitInvited({ consultation: consultationId, sub: memberId, role, exp }: z.infer<typeof Claims>, now: () => number): Admission {
  const controller = new AbortController()
  const deadline = new Deadline(controller, () => new RelayFault('invitation_expired', 'the invitation has expired'), now)
  deadline.set((exp + CLOCK_TOLERANCE_SECONDS) * 1000)
  const basis = { grantId: null, actions: ACTIONS_OF_ROLE[role], validUntilMillis: exp * 1000, ended: controller.signal }
  return mintAdmission({ consultationId, memberId, role }, basis, () => deadline.clear())
}

/** What an invitation says. */
export interface InvitationTerms {
  readonly consultationId: ConsultationId
  readonly memberId: MemberId
  readonly role: Role
  /** How long it is valid from now, in seconds. */
  readonly lifetimeSeconds: number
}

/** A signing key as it is stored: one private JWK (RFC 8037, Ed25519). */
export async function generateInvitationKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { crv: 'Ed25519', extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, alg: ALGORITHM, kid: await calculateJwkThumbprint(jwk) }
}

/** Signs invitations: JWTs bound to consultation, member and role. @see RFC 7519, RFC 8037 */
export class InvitationIssuer {
  readonly #key: CryptoKey
  readonly #keyId: string
  readonly #now: () => number

  private constructor(key: CryptoKey, keyId: string, now: () => number) {
    this.#key = key
    this.#keyId = keyId
    this.#now = now
  }

  /**
   * @param now - The wall clock, in milliseconds since the epoch.
   * @throws {RelayFault} `bad_config` when the key is not an Ed25519 private key.
   */
  static async open(jwk: JWK, now: () => number = Date.now): Promise<InvitationIssuer> {
    return new InvitationIssuer(await importEdKey(jwk), await calculateJwkThumbprint(jwk), now)
  }

  /** @returns The token, in compact serialisation. */
  issue(terms: InvitationTerms): Promise<string> {
    const issuedAt = Math.floor(this.#now() / 1000)
    return new SignJWT({ consultation: terms.consultationId, role: terms.role })
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#keyId })
      .setAudience(AUDIENCE)
      .setSubject(terms.memberId)
      .setJti(crypto.randomUUID())
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + terms.lifetimeSeconds)
      .sign(this.#key)
  }
}

/** Turns an invitation into an {@link Admission}, or refuses it. */
export class InvitationVerifier {
  readonly #key: CryptoKey
  readonly #now: () => number

  private constructor(key: CryptoKey, now: () => number) {
    this.#key = key
    this.#now = now
  }

  /**
   * @param now - The wall clock, in milliseconds since the epoch.
   * @throws {RelayFault} `bad_config` when the key is not an Ed25519 key.
   */
  static async open(jwk: JWK, now: () => number = Date.now): Promise<InvitationVerifier> {
    const { kty, crv, x } = jwk
    return new InvitationVerifier(await importEdKey({ kty: kty ?? '', crv: crv ?? '', x: x ?? '' }), now)
  }

  /**
   * @throws {RelayFault} `invitation_expired` when it ran out; `invitation_refused` when it was not
   *   signed by this node's key, is meant for something else, or is no token at all.
   */
  async verify(token: string): Promise<Admission> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: [ALGORITHM],
        audience: AUDIENCE,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(this.#now()),
      })
      return admitInvited(Claims.parse(payload), this.#now)
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw new RelayFault('invitation_expired', 'the invitation has expired', { cause })
      throw new RelayFault('invitation_refused', 'the invitation is not valid here', { cause })
    }
  }
}

/** Imports an Ed25519 key. @throws {RelayFault} `bad_config` when it is none. @see RFC 8037 */
export async function importEdKey(jwk: JWK): Promise<CryptoKey> {
  try {
    const key = await importJWK(jwk, ALGORITHM)
    if (key instanceof Uint8Array) throw new TypeError('a symmetric key')
    return key
  } catch (cause) {
    throw new RelayFault('bad_config', 'the key is not an Ed25519 JWK', { cause })
  }
}
