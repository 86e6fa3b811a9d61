import { createHash, randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { SignInTokens } from '../../relay/access/practitioners/sign-in-tokens.ts'
import type { CryptoKey, JWK } from 'jose'
import type { Practitioner } from '../../relay/access/registry/registry.ts'

/** Somebody who signed in at a node, with a key of their own. */
export class SignedInPerson {
  readonly #signIn: string
  readonly #key: CryptoKey
  readonly #jwk: JWK

  private constructor(signIn: string, key: CryptoKey, jwk: JWK) {
    this.#signIn = signIn
    this.#key = key
    this.#jwk = jwk
  }

  /** @param nodeKey - Of the node, with which it signs tokens. */
  static async open(nodeKey: JWK, practitioner: Practitioner): Promise<SignedInPerson> {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const jwk = await exportJWK(publicKey)
    const jkt = await calculateJwkThumbprint(jwk)
    const registry = { practitioner: () => practitioner, isRevoked: () => false, expiresAtMillis: Infinity }
    const tokens = await SignInTokens.open({ key: nodeKey, registry, possession: { readProof: () => Promise.resolve(jkt), verify: () => Promise.resolve() } })
    const { token: signIn } = await tokens.issue({ practitionerId: practitioner.id, methods: ['pop', 'mfa'], holdsUntilMillis: Date.now() + 600_000 }, { method: 'POST', path: '/' })
    return new SignedInPerson(signIn, privateKey, jwk)
  }

  /** Header fields of one request. @param token - A grant's; without it the one of the sign-in. */
  async headers(method: string, url: string, token: string = this.#signIn): Promise<{ authorization: string; dpop: string }> {
    const dpop = await new SignJWT({ htm: method, htu: url.split('?', 1)[0], ath: createHash('sha256').update(token).digest('base64url'), jti: randomUUID() })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: this.#jwk })
      .setIssuedAt()
      .sign(this.#key)
    return { authorization: `DPoP ${token}`, dpop }
  }
}
