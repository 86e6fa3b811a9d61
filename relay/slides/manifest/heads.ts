import { createHash } from 'node:crypto'
import { CompactSign, compactVerify, importJWK } from 'jose'
import { RelayFault } from '../../wire/fault.ts'
import { HEAD_TYPES, LevelHead, ScannerKey, SlideHead, SquareHead } from '../../wire/slide.ts'
import type { Sha256 } from '../../wire/ids.ts'
import type { JWK } from 'jose'
import type { z } from 'zod'

const ALGORITHM = 'EdDSA'

/** SHA-256 as it names things. @see FIPS 180-4 */
export const sha256Of = (bytes: Uint8Array): Sha256 => createHash('sha256').update(bytes).digest('hex') as Sha256

/** What a scanner signs with: Ed25519. @see RFC 8037 */
export interface SigningKey {
  readonly publicKey: ScannerKey
  /** @returns JWS in compact serialisation (RFC 7515). */
  signLevel(head: LevelHead): Promise<string>
  signSlide(head: SlideHead): Promise<string>
  signSquare(head: SquareHead): Promise<string>
}

/** @param jwk - Private, Ed25519. @throws {RelayFault} `bad_config` for any other. */
export async function openSigningKey(jwk: JWK): Promise<SigningKey> {
  const publicKey = ScannerKey.safeParse({ kty: jwk.kty, crv: jwk.crv, x: jwk.x })
  const key = await importJWK(jwk, ALGORITHM).catch(() => undefined)
  if (!publicKey.success || key === undefined || jwk.d === undefined) throw new RelayFault('bad_config', 'the signing key is not an Ed25519 private key')
  const sign = (typ: string, head: object): Promise<string> => new CompactSign(Buffer.from(JSON.stringify(head))).setProtectedHeader({ alg: ALGORITHM, typ }).sign(key)
  return {
    publicKey: publicKey.data,
    signLevel: head => sign(HEAD_TYPES.level, head),
    signSlide: head => sign(HEAD_TYPES.slide, head),
    signSquare: head => sign(HEAD_TYPES.square, head),
  }
}

async function verify<Schema extends z.ZodType>(jws: string, key: ScannerKey, typ: string, schema: Schema): Promise<z.infer<Schema>> {
  try {
    const { payload, protectedHeader } = await compactVerify(jws, await importJWK(key, ALGORITHM), { algorithms: [ALGORITHM] })
    if (protectedHeader.typ !== typ) throw new TypeError('another type')
    return schema.parse(JSON.parse(Buffer.from(payload).toString('utf8')))
  } catch (cause) {
    throw new RelayFault('signature_refused', 'a head is not signed by the key of its slide, or is none', { cause })
  }
}

/** @throws {RelayFault} `signature_refused`. */
export const verifyLevelHead = (jws: string, key: ScannerKey): Promise<LevelHead> => verify(jws, key, HEAD_TYPES.level, LevelHead)

/** @throws {RelayFault} `signature_refused`. */
export const verifySlideHead = (jws: string, key: ScannerKey): Promise<SlideHead> => verify(jws, key, HEAD_TYPES.slide, SlideHead)

/** @throws {RelayFault} `signature_refused`. */
export const verifySquareHead = (jws: string, key: ScannerKey): Promise<SquareHead> => verify(jws, key, HEAD_TYPES.square, SquareHead)
