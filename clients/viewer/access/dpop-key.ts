import { calculateJwkThumbprint, exportJWK, SignJWT } from 'jose'
import type { JWK } from 'jose'
import { browserKeyStore } from './key-store.ts'
import type { KeyStore } from './key-store.ts'

const ALGORITHM = 'ES256'

/** What {@link DpopKey.open} stands on. */
export interface DpopKeyOptions {
  /** Where the key outlives a reload; this browser's own database unless said otherwise. */
  readonly store?: KeyStore
  /** This machine's clock, in milliseconds since the epoch. */
  readonly now?: () => number
}

/**
 * A key pair of this browser that tokens are bound to, so that a stolen token is of no use elsewhere. The private
 * half cannot be read out, not even by this page. ECDSA P-256.
 *
 * @see RFC 9449
 */
export class DpopKey {
  /** SHA-256 of the public key (RFC 7638), base64url. */
  readonly thumbprint: string
  readonly #privateKey: CryptoKey
  readonly #publicJwk: JWK
  readonly #now: () => number
  #aheadMillis = 0

  private constructor(thumbprint: string, privateKey: CryptoKey, publicJwk: JWK, now: () => number) {
    this.thumbprint = thumbprint
    this.#privateKey = privateKey
    this.#publicJwk = publicJwk
    this.#now = now
  }

  /** The key that this browser keeps for the page's origin; a new one the first time, or where nothing can be kept. */
  static async open({ store = browserKeyStore(), now = Date.now }: DpopKeyOptions = {}): Promise<DpopKey> {
    const pair = await store.keep(() => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']))
    const { kty = '', crv = '', x = '', y = '' } = await exportJWK(pair.publicKey)
    const jwk = { kty, crv, x, y }
    return new DpopKey(await calculateJwkThumbprint(jwk), pair.privateKey, jwk, now)
  }

  /** Proofs carry the node's time from here on: the clock of a hospital's machine may be minutes off, and proofs count for seconds. */
  followClock(nodeNowMillis: number): void {
    this.#aheadMillis = nodeNowMillis - this.#now()
  }

  /**
   * A proof for one request; it counts once.
   *
   * @param url - Absolute; of a WebSocket, too: its handshake is an HTTP request.
   * @param accessToken - That the request carries; none where one is asked for.
   * @see RFC 9449 section 4.2
   */
  async proof(method: string, url: string, accessToken?: string): Promise<string> {
    const { protocol, host, pathname } = new URL(url)
    const claims = {
      htm: method,
      htu: `${protocol.replace(/^ws/, 'http')}//${host}${pathname}`,
      jti: crypto.randomUUID(),
      iat: Math.floor((this.#now() + this.#aheadMillis) / 1000),
      ...(accessToken === undefined ? {} : { ath: await sha256(accessToken) }),
    }
    return new SignJWT(claims).setProtectedHeader({ typ: 'dpop+jwt', alg: ALGORITHM, jwk: this.#publicJwk }).sign(this.#privateKey)
  }
}

async function sha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return btoa(String.fromCharCode(...digest)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
