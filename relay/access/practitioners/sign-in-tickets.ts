import { randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { PractitionerId } from '../../wire/access.ts'
import { RelayFault } from '../../wire/fault.ts'
import { importEdKey } from '../invitation.ts'
import type { CryptoKey, JWK } from 'jose'

const AUDIENCE = 'kenkyo-sign-in-ticket'
const ALGORITHM = 'EdDSA'

const Claims = z.looseObject({ sub: PractitionerId, jti: z.uuid(), exp: z.int() })

/** What an operator gives to somebody, out of the network, to sign in with for the first time. */
export interface SignInTicket {
  readonly ticketId: string
  readonly practitionerId: PractitionerId
  /** Milliseconds since the epoch. */
  readonly validUntilMillis: number
}

/** Issues and reads tickets of one node. That a ticket is used once is for `PasskeyStore` to see to. @see RFC 7519 */
export class SignInTickets {
  readonly #key: CryptoKey
  readonly #publicKey: CryptoKey
  readonly #keyId: string
  readonly #now: () => number

  private constructor(key: CryptoKey, publicKey: CryptoKey, keyId: string, now: () => number) {
    this.#key = key
    this.#publicKey = publicKey
    this.#keyId = keyId
    this.#now = now
  }

  /**
   * @param now - Milliseconds since the epoch.
   * @throws {RelayFault} `bad_config` when the key is not an Ed25519 private key.
   */
  static async open(jwk: JWK, now: () => number = Date.now): Promise<SignInTickets> {
    const { kty = '', crv = '', x = '' } = jwk
    const [key, publicKey] = await Promise.all([importEdKey(jwk), importEdKey({ kty, crv, x })])
    return new SignInTickets(key, publicKey, await calculateJwkThumbprint(jwk), now)
  }

  /** A ticket for a person, who need not be in the registry yet. */
  issue(practitionerId: PractitionerId, lifetimeSeconds: number): Promise<string> {
    const nowSeconds = Math.floor(this.#now() / 1000)
    return new SignJWT()
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#keyId })
      .setAudience(AUDIENCE)
      .setSubject(practitionerId)
      .setJti(randomUUID())
      .setIssuedAt(nowSeconds)
      .setExpirationTime(nowSeconds + lifetimeSeconds)
      .sign(this.#key)
  }

  /** @throws {RelayFault} `token_refused` for one of another node, purpose, algorithm or time. */
  async read(ticket: string): Promise<SignInTicket> {
    try {
      const { payload } = await jwtVerify(ticket, this.#publicKey, { algorithms: [ALGORITHM], audience: AUDIENCE, requiredClaims: ['exp', 'jti'], currentDate: new Date(this.#now()) })
      const { sub, jti, exp } = Claims.parse(payload)
      return { ticketId: jti, practitionerId: sub, validUntilMillis: exp * 1000 }
    } catch (cause) {
      throw new RelayFault('token_refused', 'this ticket is not valid here', { cause })
    }
  }
}
