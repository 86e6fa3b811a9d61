import { calculateJwkThumbprint, errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { GrantId } from '../../wire/access.ts'
import { RelayFault } from '../../wire/fault.ts'
import { importEdKey } from '../invitation.ts'
import { Confirmation } from './proof-of-possession.ts'
import type { CryptoKey, JWK } from 'jose'
import type { Admission } from '../invitation.ts'
import type { Grant, GrantRegistry } from './grant-registry.ts'
import type { Possession, PossessionVerifier } from './proof-of-possession.ts'

const AUDIENCE = 'kenkyo-grant'
const ALGORITHM = 'EdDSA'
const CLOCK_TOLERANCE_SECONDS = 2

const Claims = z.looseObject({ jti: GrantId, exp: z.int(), cnf: Confirmation })

/** What {@link GrantTokens} stand on. */
export interface GrantTokensOptions {
  /** Ed25519, private. */
  readonly key: JWK
  readonly grants: GrantRegistry
  readonly possession: PossessionVerifier
}

/** Names grants by tokens that only their holder can use. @see RFC 7519, RFC 7800, RFC 9449, RFC 8705 */
export class GrantTokens {
  readonly #key: CryptoKey
  readonly #publicKey: CryptoKey
  readonly #keyId: string
  readonly #grants: GrantRegistry
  readonly #possession: PossessionVerifier

  private constructor(key: CryptoKey, publicKey: CryptoKey, keyId: string, { grants, possession }: GrantTokensOptions) {
    this.#key = key
    this.#publicKey = publicKey
    this.#keyId = keyId
    this.#grants = grants
    this.#possession = possession
  }

  /** @throws {RelayFault} `bad_config` when the key is not an Ed25519 private key. */
  static async open(options: GrantTokensOptions): Promise<GrantTokens> {
    const { kty = '', crv = '', x = '' } = options.key
    const [key, publicKey] = await Promise.all([importEdKey(options.key), importEdKey({ kty, crv, x })])
    return new GrantTokens(key, publicKey, await calculateJwkThumbprint(options.key), options)
  }

  /** @returns A token that is good until the grant has to be renewed. */
  issue({ id, subject, validUntilMillis }: Grant): Promise<string> {
    return new SignJWT({ cnf: subject.bound })
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#keyId })
      .setAudience(AUDIENCE)
      .setSubject(subject.memberId)
      .setJti(id)
      .setIssuedAt()
      .setExpirationTime(Math.floor(validUntilMillis / 1000))
      .sign(this.#key)
  }

  /**
   * The grant that a token names, for whoever holds it.
   *
   * @throws {RelayFault} `invitation_expired` when the token ran out; `token_refused` for one of another node or client,
   *   or of a grant that ended; `replayed`, `overloaded`.
   */
  async read(token: string, possession: Possession): Promise<Grant> {
    const { jti, cnf } = await this.#claims(token)
    await this.#possession.verify(token, cnf, possession)
    return this.#grants.require(jti)
  }

  /** As {@link read}: what its holder enters with. */
  async verify(token: string, possession: Possession): Promise<Admission> {
    return (await this.read(token, possession)).admit()
  }

  async #claims(token: string): Promise<z.infer<typeof Claims>> {
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, { algorithms: [ALGORITHM], audience: AUDIENCE, clockTolerance: CLOCK_TOLERANCE_SECONDS })
      return Claims.parse(payload)
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw new RelayFault('invitation_expired', 'the grant has to be renewed', { cause })
      throw new RelayFault('token_refused', 'this token is not valid here', { cause })
    }
  }
}
