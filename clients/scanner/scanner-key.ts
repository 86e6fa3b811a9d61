import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { readOrMakeKey } from '../../relay/runtime/secret-file.ts'
import { openSigningKey } from '../../relay/slides/manifest/heads.ts'
import type { SigningKey } from '../../relay/slides/manifest/heads.ts'

/**
 * The key that a scanner signs its slides with (RFC 8037), from its state directory; the first reader makes it.
 *
 * @throws {RelayFault} `bad_config` when it cannot be read or made, or is no key.
 */
export async function loadScannerKey(stateDir: string): Promise<SigningKey> {
  const jwk = await readOrMakeKey(join(stateDir, 'scanner-key.json'), "the scanner's key", async () => {
    const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
    return exportJWK(privateKey)
  })
  return openSigningKey(jwk)
}
