import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { REGION_KEY_BYTES } from '../access/consent/pseudonym.ts'
import { replaceDurably } from '../runtime/durable-file.ts'
import { RelayFault } from '../wire/fault.ts'
import type { JWK } from 'jose'

/** Private; it signs the registry, and operators' tokens. */
export const REGISTRY_KEY_FILE = 'registry-key.json'
/** The public half, for nodes. */
export const REGISTRY_PUBLIC_KEY_FILE = 'registry-key.pub.json'
const REGION_KEY_FILE = 'region-key'

async function readOrMake(path: string, make: () => Promise<string> | string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw new RelayFault('bad_config', `${path} cannot be read`, { cause })
  }
  const made = await make()
  await replaceDurably(path, made)
  return made
}

/** The key that signs the registry, Ed25519; its public half is written beside it. One core uses a folder at a time. @throws {RelayFault} `bad_config`. */
export async function loadRegistryKey(folder: string): Promise<JWK> {
  const text = await readOrMake(join(folder, REGISTRY_KEY_FILE), async () => {
    const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
    return JSON.stringify(await exportJWK(privateKey))
  })
  const key = JSON.parse(text) as JWK
  const { kty, crv, x } = key
  await replaceDurably(join(folder, REGISTRY_PUBLIC_KEY_FILE), JSON.stringify({ kty, crv, x }))
  return key
}

/** The key that patients' pseudonyms are made with. Whoever loses it loses who is who. @throws {RelayFault} `bad_config`. */
export async function loadRegionKey(folder: string): Promise<Uint8Array> {
  const key = Buffer.from(await readOrMake(join(folder, REGION_KEY_FILE), () => randomBytes(REGION_KEY_BYTES).toString('base64')), 'base64')
  if (key.length !== REGION_KEY_BYTES) throw new RelayFault('bad_config', 'the region key is damaged')
  return key
}
