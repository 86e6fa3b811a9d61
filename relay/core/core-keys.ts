import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { REGION_KEY_BYTES } from '../access/consent/pseudonym.ts'
import { replaceDurably } from '../runtime/durable-file.ts'
import { readOrMakeKey, readOrMakeSecret } from '../runtime/secret-file.ts'
import { RelayFault } from '../wire/fault.ts'
import type { JWK } from 'jose'

/** Private; it signs the registry, and operators' tokens. */
export const REGISTRY_KEY_FILE = 'registry-key.json'
/** The public half, for nodes. */
export const REGISTRY_PUBLIC_KEY_FILE = 'registry-key.pub.json'
const REGION_KEY_FILE = 'region-key'

/** The key that signs the registry, Ed25519; its public half is written beside it. One core uses a folder at a time. @throws {RelayFault} `bad_config`. */
export async function loadRegistryKey(folder: string): Promise<JWK> {
  const key = await readOrMakeKey(join(folder, REGISTRY_KEY_FILE), "the registry's key", async () => {
    const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
    return exportJWK(privateKey)
  })
  const { kty, crv, x } = key
  await replaceDurably(join(folder, REGISTRY_PUBLIC_KEY_FILE), JSON.stringify({ kty, crv, x }))
  return key
}

/** The key that patients' pseudonyms are made with. Whoever loses it loses who is who. @throws {RelayFault} `bad_config`. */
export async function loadRegionKey(folder: string): Promise<Uint8Array> {
  const key = Buffer.from(await readOrMakeSecret(join(folder, REGION_KEY_FILE), 'the region key', () => randomBytes(REGION_KEY_BYTES).toString('base64')), 'base64')
  if (key.length !== REGION_KEY_BYTES) throw new RelayFault('bad_config', 'the region key is damaged')
  return key
}
