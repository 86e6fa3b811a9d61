import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { openSigningKey } from '../../relay/slides/manifest/heads.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { SigningKey } from '../../relay/slides/manifest/heads.ts'
import type { JWK } from 'jose'

const FILE_NAME = 'scanner-key.json'

/** Makes the file whole or not at all, and leaves one alone that somebody else made meanwhile. */
async function makeKey(path: string): Promise<void> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const draft = `${path}.${randomUUID()}`
  {
    await using file = await open(draft, 'wx', 0o600)
    await file.writeFile(JSON.stringify(await exportJWK(privateKey)))
    await file.sync()
  }
  try {
    await link(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(draft)
  }
}

/**
 * The key that a scanner signs its slides with (RFC 8037), from its state directory; the first reader makes it.
 *
 * @throws {RelayFault} `bad_config` when it cannot be read or made.
 */
export async function loadScannerKey(stateDir: string): Promise<SigningKey> {
  const path = join(stateDir, FILE_NAME)
  let jwk: JWK
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 })
    if (!existsSync(path)) await makeKey(path)
    jwk = JSON.parse(await readFile(path, 'utf8')) as JWK
  } catch (cause) {
    throw new RelayFault('bad_config', "the scanner's key cannot be read or made", { cause })
  }
  return openSigningKey(jwk)
}
