import { createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto'
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RelayFault } from '../wire/fault.ts'
import type { KeyObject } from 'node:crypto'

/** The file of the key that signs tree heads: PKCS #8, PEM. */
export const AUDIT_KEY_FILE = 'audit-key.pem'
/** Its public half, for whoever verifies: SubjectPublicKeyInfo, PEM. */
export const AUDIT_PUBLIC_KEY_FILE = 'audit-key.pub.pem'

const isTaken = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EEXIST'

/** Makes a file whole or not at all, and leaves one alone that somebody else made meanwhile. */
async function makeFile(path: string, text: string, mode: number): Promise<void> {
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, text, { flag: 'wx', mode, flush: true })
  try {
    await link(draft, path)
  } catch (error) {
    if (!isTaken(error)) throw error
  } finally {
    await unlink(draft)
  }
}

async function readOrMake(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await makeFile(path, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600)
    return readFile(path, 'utf8')
  }
}

/**
 * Reads the key that a log is signed with; the first reader makes it, and its public half beside it.
 *
 * @throws {RelayFault} `bad_config` when the directory or the file cannot be used, or the key is not Ed25519.
 */
export async function loadAuditKey(directory: string): Promise<KeyObject> {
  const path = join(directory, AUDIT_KEY_FILE)
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const key = createPrivateKey(await readOrMake(path))
    if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('not an Ed25519 key')
    await makeFile(join(directory, AUDIT_PUBLIC_KEY_FILE), createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string, 0o644)
    return key
  } catch (cause) {
    throw new RelayFault('bad_config', `${path} cannot be read or made`, { cause })
  }
}
