import { calculateJwkThumbprint, errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { FacilityId, PracticeRole, PractitionerId } from '../../wire/access.ts'
import { RelayFault } from '../../wire/fault.ts'
import { Sha256 } from '../../wire/ids.ts'
import { AuthenticationMethod } from '../../wire/sign-in.ts'
import { importEdKey } from '../invitation.ts'
import type { CryptoKey, JWK } from 'jose'
import type { Possession } from '../grants/proof-of-possession.ts'
import type { Practitioner, RegistryView } from '../registry/registry.ts'

const AUDIENCE = 'kenkyo-sign-in'
const ALGORITHM = 'EdDSA'
/** A token is good for so long. */
export const SIGN_IN_LIFETIME_SECONDS = 600

const Claims = z.looseObject({
  sub: PractitionerId,
  facility: FacilityId,
  role: PracticeRole,
  amr: z.array(AuthenticationMethod).min(1).max(AuthenticationMethod.options.length),
  cnf: z.strictObject({ jkt: z.string().regex(/^[\w-]{43}$/) }),
  certificate: Sha256.optional(),
  iat: z.int(),
  exp: z.int(),
})

/** What somebody proved at the sign-in. */
export interface SignInEvidence {
  readonly practitionerId: PractitionerId
  readonly methods: readonly AuthenticationMethod[]
  /** SHA-256 of the card's certificate (DER); undefined without a card. */
  readonly certificate?: Sha256 | undefined
  /** When the certificate or credential stops to count, in milliseconds since the epoch. */
  readonly holdsUntilMillis: number
}

/** A token, and whom it is of. */
export interface IssuedSignIn {
  readonly token: string
  readonly practitioner: Practitioner
  /** Milliseconds since the epoch. */
  readonly validUntilMillis: number
}

/** Somebody who is signed in, as the registry and the token say together. */
export interface SignedIn {
  readonly practitionerId: PractitionerId
  readonly facilityId: FacilityId
  readonly role: PracticeRole
  readonly methods: readonly AuthenticationMethod[]
  /** Whom the token, and what is granted by it, is bound to. */
  readonly bound: { readonly jkt: string }
  /** Milliseconds since the epoch. */
  readonly validUntilMillis: number
}

/** Checks proofs of possession: `PossessionVerifier` does. */
export interface ProofReader {
  /** @returns The thumbprint of the key that the proof was made with. */
  readProof(possession: Possession, token?: string): Promise<string>
  verify(token: string, bound: { readonly jkt: string }, possession: Possession): Promise<void>
}

/** What {@link SignInTokens} stand on. */
export interface SignInTokensOptions {
  /** Ed25519, private. */
  readonly key: JWK
  readonly registry: Pick<RegistryView, 'practitioner' | 'isRevoked' | 'expiresAtMillis'>
  readonly possession: ProofReader
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** Issues and reads the tokens of people who signed in. Each is bound to a key of the client. @see RFC 7519, RFC 9449 */
export class SignInTokens {
  readonly #key: CryptoKey
  readonly #publicKey: CryptoKey
  readonly #keyId: string
  readonly #registry: SignInTokensOptions['registry']
  readonly #possession: ProofReader
  readonly #now: () => number

  private constructor(key: CryptoKey, publicKey: CryptoKey, keyId: string, { registry, possession, now = Date.now }: SignInTokensOptions) {
    this.#key = key
    this.#publicKey = publicKey
    this.#keyId = keyId
    this.#registry = registry
    this.#possession = possession
    this.#now = now
  }

  /** @throws {RelayFault} `bad_config` when the key is not an Ed25519 private key. */
  static async open(options: SignInTokensOptions): Promise<SignInTokens> {
    const { kty = '', crv = '', x = '' } = options.key
    const [key, publicKey] = await Promise.all([importEdKey(options.key), importEdKey({ kty, crv, x })])
    return new SignInTokens(key, publicKey, await calculateJwkThumbprint(options.key), options)
  }

  /**
   * A token for whoever makes the proof, good for {@link SIGN_IN_LIFETIME_SECONDS} and never longer than what it rests on.
   *
   * @param proofs - Of the door where the proof was made, when that has an origin of its own.
   * @throws {RelayFault} `token_refused`, `replayed` or `overloaded` for the proof; `access_revoked` for whom the
   *   registry does not know, or a certificate that it revoked; `certificate_refused` when what it rests on has ended.
   */
  async issue(evidence: SignInEvidence, possession: Possession, proofs: ProofReader = this.#possession): Promise<IssuedSignIn> {
    const { practitionerId, methods, certificate, holdsUntilMillis } = evidence
    const jkt = await proofs.readProof(possession)
    const practitioner = this.#require(practitionerId, certificate)
    const nowSeconds = Math.floor(this.#now() / 1000)
    const until = Math.min(nowSeconds + SIGN_IN_LIFETIME_SECONDS, Math.floor(Math.min(holdsUntilMillis, this.#registry.expiresAtMillis) / 1000))
    if (until <= nowSeconds) throw new RelayFault('certificate_refused', 'what the sign-in rests on has ended')
    const token = await new SignJWT({ facility: practitioner.facilityId, role: practitioner.role, amr: [...methods], cnf: { jkt }, ...(certificate === undefined ? {} : { certificate }) })
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#keyId })
      .setAudience(AUDIENCE)
      .setSubject(practitionerId)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(until)
      .sign(this.#key)
    return { token, practitioner, validUntilMillis: until * 1000 }
  }

  /**
   * Who presents a token, as far as everything that it rests on still holds.
   *
   * @throws {RelayFault} `sign_in_required` when it ran out; `token_refused` for one of another node, purpose, client
   *   or time; `access_revoked` when the registry has changed its mind; `replayed`, `overloaded`.
   */
  async verify(token: string, possession: Possession): Promise<SignedIn> {
    const { sub, facility, role, amr, cnf, certificate, exp } = await this.#claims(token)
    await this.#possession.verify(token, cnf, possession)
    const practitioner = this.#require(sub, certificate)
    // Somebody who moved, or was given another role, signs in anew.
    if (practitioner.facilityId !== facility || practitioner.role !== role) throw new RelayFault('access_revoked', 'the registry says otherwise by now')
    return { practitionerId: sub, facilityId: facility, role, methods: amr, bound: cnf, validUntilMillis: exp * 1000 }
  }

  #require(id: PractitionerId, certificate: Sha256 | undefined): Practitioner {
    const practitioner = this.#registry.practitioner(id)
    if (practitioner === undefined || (certificate !== undefined && this.#registry.isRevoked(certificate))) throw new RelayFault('access_revoked', 'the registry knows no such practitioner, or revoked the certificate')
    return practitioner
  }

  async #claims(token: string): Promise<z.infer<typeof Claims>> {
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        algorithms: [ALGORITHM], audience: AUDIENCE, requiredClaims: ['exp', 'iat'], maxTokenAge: SIGN_IN_LIFETIME_SECONDS, clockTolerance: 2, currentDate: new Date(this.#now()),
      })
      return Claims.parse(payload)
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw new RelayFault('sign_in_required', 'the sign-in has run out', { cause })
      throw new RelayFault('token_refused', 'this token is not valid here', { cause })
    }
  }
}
