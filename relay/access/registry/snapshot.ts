import { CompactSign, compactVerify, importJWK } from 'jose'
import { RelayFault } from '../../wire/fault.ts'
import { registryContradictions, RegistryContents } from './registry.ts'
import type { CryptoKey, JWK } from 'jose'

/** A longer snapshot is not looked at. */
const MAX_SNAPSHOT_CHARACTERS = 32 * 1024 * 1024
const ALGORITHM = 'EdDSA'
const TYPE = 'kenkyo-registry+jws'

async function importKey(jwk: JWK): Promise<CryptoKey> {
  try {
    const key = await importJWK(jwk, ALGORITHM)
    if (key instanceof Uint8Array) throw new TypeError('a symmetric key')
    return key
  } catch (cause) {
    throw new RelayFault('bad_config', 'the registry key is not an Ed25519 JWK', { cause })
  }
}

/** Signs versions of the registry: JWS in compact serialisation. @see RFC 7515, RFC 8037 */
export class SnapshotSigner {
  readonly #key: CryptoKey

  private constructor(key: CryptoKey) {
    this.#key = key
  }

  /** @throws {RelayFault} `bad_config` when the key is not an Ed25519 private key. */
  static async open(jwk: JWK): Promise<SnapshotSigner> {
    return new SnapshotSigner(await importKey(jwk))
  }

  /** @throws {RelayFault} `registry_refused` for contents that contradict themselves. */
  async sign(contents: RegistryContents): Promise<string> {
    const mistakes = registryContradictions(contents)
    if (mistakes.length > 0) throw new RelayFault('registry_refused', mistakes.join('; '))
    return new CompactSign(Buffer.from(JSON.stringify(contents))).setProtectedHeader({ alg: ALGORITHM, typ: TYPE }).sign(this.#key)
  }
}

/** Reads signed versions of the registry. */
export class SnapshotVerifier {
  readonly #key: CryptoKey

  private constructor(key: CryptoKey) {
    this.#key = key
  }

  /** @throws {RelayFault} `bad_config` when the key is not an Ed25519 key. */
  static async open({ kty, crv, x }: JWK): Promise<SnapshotVerifier> {
    return new SnapshotVerifier(await importKey({ kty: kty ?? '', crv: crv ?? '', x: x ?? '' }))
  }

  /** @throws {RelayFault} `registry_refused` when it is not signed by the platform, is not readable, or contradicts itself. */
  async read(snapshot: string): Promise<RegistryContents> {
    if (snapshot.length > MAX_SNAPSHOT_CHARACTERS) throw new RelayFault('registry_refused', 'the snapshot is too large')
    const payload = await this.#payload(snapshot)
    const contents = RegistryContents.safeParse(payload)
    if (!contents.success) throw new RelayFault('registry_refused', 'the snapshot is not a registry', { cause: contents.error })
    const mistakes = registryContradictions(contents.data)
    if (mistakes.length > 0) throw new RelayFault('registry_refused', mistakes.join('; '))
    return contents.data
  }

  async #payload(snapshot: string): Promise<unknown> {
    try {
      const { payload, protectedHeader } = await compactVerify(snapshot, this.#key, { algorithms: [ALGORITHM] })
      if (protectedHeader.typ !== TYPE) throw new TypeError(`a signature for ${protectedHeader.typ ?? 'something else'}`)
      return JSON.parse(Buffer.from(payload).toString('utf8')) as unknown
    } catch (cause) {
      throw new RelayFault('registry_refused', 'the snapshot is not signed by the platform', { cause })
    }
  }
}
