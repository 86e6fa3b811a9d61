import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, EmbeddedJWK, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import { RelayFault } from '../../wire/fault.ts'

/** Whom a token is bound to: the thumbprint of a key (RFC 7638) or of a certificate (RFC 8705), both SHA-256 in base64url. */
export const Confirmation = z.union([z.strictObject({ jkt: z.string().regex(/^[\w-]{43}$/) }), z.strictObject({ 'x5t#S256': z.string().regex(/^[\w-]{43}$/) })])
export type Confirmation = z.infer<typeof Confirmation>

/** What comes with a token to show that it is its holder's. */
export interface Possession {
  /** The DPoP proof, a JWT. */
  readonly proof?: string | undefined
  /** Of the HTTP request; `GET` for a signaling socket. */
  readonly method: string
  /** Of the request, without query: what follows the origin. */
  readonly path: string
  /** SHA-256 of the client certificate that the TLS connection was opened with, base64url. */
  readonly certificateThumbprint?: string | undefined
}

/** Proofs that are this much older or newer than the node's clock are refused. @see RFC 9449 section 11.1 */
export const PROOF_WINDOW_SECONDS = 30
/** Proofs that are remembered, to refuse them a second time. More within the window are refused as they come. */
const MAX_REMEMBERED = 65_536
/** Asymmetric only. @see RFC 9449 section 4.3 */
const ALGORITHMS = ['ES256', 'EdDSA']
const MAX_PROOF_CHARACTERS = 4096

const ProofClaims = z.looseObject({ jti: z.string().min(8).max(128), htm: z.string(), htu: z.string().max(2048), iat: z.int(), ath: z.string().optional() })

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** Remembers for a while what has been seen, in bounded memory. Decides without I/O. */
export class ReplayGuard {
  readonly #seen = new Map<string, number>()
  readonly #capacity: number

  constructor(capacity: number = MAX_REMEMBERED) {
    this.#capacity = capacity
  }

  /** How much is remembered. */
  get size(): number {
    return this.#seen.size
  }

  /**
   * @param untilMillis - When it need not be remembered any more.
   * @throws {RelayFault} `replayed` for what was seen; `overloaded` when no more can be remembered.
   */
  take(id: string, nowMillis: number, untilMillis: number): void {
    if (this.#seen.has(id)) throw new RelayFault('replayed', 'this proof was used before')
    for (const [old, until] of this.#seen) {
      // Oldest first: about in the order in which they end.
      if (until > nowMillis) break
      this.#seen.delete(old)
    }
    // One from the future may stand before others that are over.
    if (this.#seen.size >= this.#capacity) for (const [old, until] of this.#seen) if (until <= nowMillis) this.#seen.delete(old)
    // To forget an earlier one would let it in again.
    if (this.#seen.size >= this.#capacity) throw new RelayFault('overloaded', 'too many proofs at once')
    this.#seen.set(id, untilMillis)
  }
}

/** What {@link PossessionVerifier} stands on. */
export interface PossessionVerifierOptions {
  /** Where clients reach this node. */
  readonly origin: () => string
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  readonly guard?: ReplayGuard
}

/** Checks that whoever presents a token holds the key or certificate that it is bound to. @see RFC 9449 section 4.3, RFC 8705 section 3 */
export class PossessionVerifier {
  readonly #origin: () => string
  readonly #now: () => number
  readonly #guard: ReplayGuard

  constructor({ origin, now = Date.now, guard = new ReplayGuard() }: PossessionVerifierOptions) {
    this.#origin = origin
    this.#now = now
    this.#guard = guard
  }

  /** @throws {RelayFault} `token_refused` for another's token or a proof that is none; `replayed`; `overloaded`. */
  async verify(token: string, bound: Confirmation, possession: Possession): Promise<void> {
    if ('x5t#S256' in bound) {
      if (possession.certificateThumbprint !== bound['x5t#S256']) throw refused('the token is of another certificate')
      return
    }
    if ((await this.readProof(possession, token)) !== bound.jkt) throw refused('the token is of another key')
  }

  /**
   * @param token - That the proof is for; none where one is asked for.
   * @returns The thumbprint of the key that the proof was made with.
   * @throws {RelayFault} as {@link verify}.
   */
  async readProof({ proof, method, path }: Possession, token?: string): Promise<string> {
    if (proof === undefined || proof.length > MAX_PROOF_CHARACTERS) throw refused('a proof of possession is needed')
    const { claims, thumbprint } = await readJwt(proof)
    const nowMillis = this.#now()
    if (claims.htm !== method || withoutQuery(claims.htu) !== `${this.#origin()}${path}`) throw refused('the proof is for another request')
    if (Math.abs(claims.iat * 1000 - nowMillis) > PROOF_WINDOW_SECONDS * 1000) throw refused('the proof is of another time')
    if (token !== undefined && claims.ath !== sha256(token)) throw refused('the proof is for another token')
    this.#guard.take(`${thumbprint}.${claims.jti}`, nowMillis, (claims.iat + PROOF_WINDOW_SECONDS + 1) * 1000)
    return thumbprint
  }
}

async function readJwt(proof: string): Promise<{ claims: z.infer<typeof ProofClaims>; thumbprint: string }> {
  try {
    // Its time is checked by the caller, who owns the clock: this refuses the form only.
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { algorithms: ALGORITHMS, typ: 'dpop+jwt', currentDate: new Date(0) })
    const { jwk } = protectedHeader
    if (jwk === undefined || 'd' in jwk) throw refused('the proof names no public key')
    return { claims: ProofClaims.parse(payload), thumbprint: await calculateJwkThumbprint(jwk, 'sha256') }
  } catch (cause) {
    if (cause instanceof errors.JOSEError || cause instanceof z.ZodError || cause instanceof RelayFault || cause instanceof TypeError || cause instanceof DOMException) throw refused('the proof is not valid', cause)
    throw cause
  }
}

/** @see RFC 9449 section 4.3, item 9: query and fragment do not count. */
function withoutQuery(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  return parsed === undefined ? '' : `${parsed.origin === 'null' ? `${parsed.protocol}//${parsed.host}` : parsed.origin}${parsed.pathname}`
}

const refused = (message: string, cause?: unknown): RelayFault => new RelayFault('token_refused', message, { cause })
