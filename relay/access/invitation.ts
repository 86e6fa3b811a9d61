import { calculateJwkThumbprint, errors, exportJWK, generateKeyPair, importJWK, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { RelayFault } from '../wire/fault.ts'
import { ConsultationId, MemberId } from '../wire/ids.ts'
import { ROLES } from '../wire/signaling.ts'
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

let mint: (claims: z.infer<typeof Claims>, now: () => number) => Admission

/**
 * Proof that an invitation to one consultation, in one role, was verified. Only {@link InvitationVerifier}
 * can make one, and nothing that joins a consultation takes anything else.
 */
export class Admission {
  readonly consultationId: ConsultationId
  readonly memberId: MemberId
  readonly role: Role
  /** Milliseconds since the epoch. */
  readonly validUntilMillis: number
  readonly #expiry = new AbortController()
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined

  static {
    mint = (claims, now) => new Admission(claims, now)
  }

  private constructor(claims: z.infer<typeof Claims>, now: () => number) {
    this.#now = now
    this.consultationId = claims.consultation
    this.memberId = claims.sub
    this.role = claims.role
    this.validUntilMillis = claims.exp * 1000
    this.#watch((claims.exp + CLOCK_TOLERANCE_SECONDS) * 1000)
  }

  /** Aborts with an `invitation_expired` fault the moment the invitation runs out. */
  get expired(): AbortSignal {
    return this.#expiry.signal
  }

  /** Stops the clock of an admission that is no longer used. Idempotent. */
  release(): void {
    clearTimeout(this.#timer)
  }

  #watch(epochMillis: number): void {
    const remaining = epochMillis - this.#now()
    if (remaining <= 0) this.#expiry.abort(new RelayFault('invitation_expired', 'the invitation has expired'))
    else this.#timer = setTimeout(() => this.#watch(epochMillis), Math.min(remaining, LONGEST_TIMER_MILLIS)).unref()
  }
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
      return mint(Claims.parse(payload), this.#now)
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
