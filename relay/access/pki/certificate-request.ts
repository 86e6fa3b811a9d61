import 'reflect-metadata'
import { KeyObject } from 'node:crypto'
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator } from '@peculiar/x509'
import { CertificateFault } from './certificate-fault.ts'
import { generateKeys, SIGNING_ALGORITHM } from './certificate-issuing.ts'
import { thumbprintOf } from './certificate.ts'
import type { PublicKeyType } from '@peculiar/x509'
import type { Sha256 } from '../../wire/ids.ts'

/** Larger ones are not read. */
const MAX_REQUEST_BYTES = 8 * 1024

/** A private key and the request that goes with it, PEM. */
export interface NewRequest {
  readonly keyPem: string
  readonly requestPem: string
}

/** What is taken from a request: its key. Names and usage are decided by whoever approves it. */
export interface RequestReading {
  readonly publicKey: PublicKeyType
  /** SHA-256 of the public key (SPKI): what two people compare by telephone. */
  readonly keyThumbprint: Sha256
}

/** A key in PKCS #8, PEM. */
export function pemOfKey(key: CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Makes a key and a certification request for it. @param name - What the request says of itself; nothing relies on it. @see RFC 2986 */
export async function createRequest(name: string): Promise<NewRequest> {
  const keys = await generateKeys()
  const request = await Pkcs10CertificateRequestGenerator.create({ name: [{ CN: [name] }], keys, signingAlgorithm: SIGNING_ALGORITHM })
  return { keyPem: pemOfKey(keys.privateKey), requestPem: `${request.toString('pem')}\n` }
}

async function read(request: Pkcs10CertificateRequest): Promise<RequestReading> {
  const { algorithm } = request.publicKey
  const curve = 'namedCurve' in algorithm ? algorithm.namedCurve : undefined
  if (algorithm.name !== 'ECDSA' || (curve !== 'P-256' && curve !== 'P-384')) throw new CertificateFault('unreadable')
  // Proof that who asks holds the private key.
  if (!(await request.verify())) throw new CertificateFault('bad_signature')
  return { publicKey: request.publicKey, keyThumbprint: thumbprintOf(new Uint8Array(request.publicKey.rawData)) }
}

/**
 * Reads a certification request and checks that it is signed with the key it asks for.
 *
 * @param encoded - PEM or DER.
 * @throws {CertificateFault} `unreadable`, also for a key that is not ECDSA on P-256 or P-384; `bad_signature`.
 */
export async function readRequest(encoded: string | Uint8Array): Promise<RequestReading> {
  if (encoded.length > 2 * MAX_REQUEST_BYTES) throw new CertificateFault('unreadable')
  try {
    return await read(new Pkcs10CertificateRequest(typeof encoded === 'string' ? encoded : Buffer.from(encoded)))
  } catch (cause) {
    throw cause instanceof CertificateFault ? cause : new CertificateFault('unreadable', { cause })
  }
}
