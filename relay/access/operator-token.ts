import { calculateJwkThumbprint, errors, jwtVerify, SignJWT } from 'jose'
import { RelayFault } from '../wire/fault.ts'
import { importEdKey } from './invitation.ts'
import type { CryptoKey, JWK } from 'jose'

const AUDIENCE = 'kenkyo-operator'
const ALGORITHM = 'EdDSA'
/** An operator's token is made for one command. */
const LIFETIME_SECONDS = 60

/** Tokens of whoever can read the node's key: the person or program that runs it. @see RFC 7519 */
export class OperatorTokens {
  readonly #key: CryptoKey
  readonly #keyId: string

  private constructor(key: CryptoKey, keyId: string) {
    this.#key = key
    this.#keyId = keyId
  }

  /** @throws {RelayFault} `bad_config` when the key is not an Ed25519 private key. */
  static async open(jwk: JWK): Promise<OperatorTokens> {
    return new OperatorTokens(await importEdKey(jwk), await calculateJwkThumbprint(jwk))
  }

  /** @returns A token for the next minute. */
  issue(): Promise<string> {
    return new SignJWT().setProtectedHeader({ alg: ALGORITHM, kid: this.#keyId }).setAudience(AUDIENCE).setIssuedAt().setExpirationTime(`${LIFETIME_SECONDS} s`).sign(this.#key)
  }
}

/** Tells operators by their tokens. */
export class OperatorVerifier {
  readonly #key: CryptoKey

  private constructor(key: CryptoKey) {
    this.#key = key
  }

  /** @throws {RelayFault} `bad_config` when the key is not an Ed25519 key. */
  static async open({ kty = '', crv = '', x = '' }: JWK): Promise<OperatorVerifier> {
    return new OperatorVerifier(await importEdKey({ kty, crv, x }))
  }

  /**
   * @param authorization - The header, as `Bearer <token>`.
   * @throws {RelayFault} `sign_in_required` without a token; `token_refused` for one of another node, purpose or time.
   */
  async verify(authorization: string | undefined): Promise<void> {
    const token = /^Bearer ([\w.-]{1,4096})$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) throw new RelayFault('sign_in_required', 'this is for operators')
    try {
      await jwtVerify(token, this.#key, { algorithms: [ALGORITHM], audience: AUDIENCE, maxTokenAge: LIFETIME_SECONDS, requiredClaims: ['exp'], clockTolerance: 2 })
    } catch (cause) {
      if (!(cause instanceof errors.JOSEError)) throw cause
      throw new RelayFault('token_refused', 'this token is not valid here', { cause })
    }
  }
}
