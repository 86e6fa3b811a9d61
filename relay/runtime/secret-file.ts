import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RelayFault } from '../wire/fault.ts'
import type { JWK } from 'jose'

/** Makes the file whole or not at all, and leaves one alone that somebody else made meanwhile. */
async function makeFile(path: string, content: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`
  {
    await using file = await open(draft, 'wx', 0o600)
    await file.writeFile(content)
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
 * Reads a secret that its owner alone may read; the first reader makes it and its folder. Several may be first: all get
 * the same.
 *
 * @param what - What it is, for the message.
 * @throws {RelayFault} `bad_config` when it cannot be read or made.
 */
export async function readOrMakeSecret(path: string, what: string, make: () => Promise<string> | string): Promise<string> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    if (!existsSync(path)) await makeFile(path, await make())
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new RelayFault('bad_config', `${what} cannot be read or made`, { cause })
  }
}

/** The same for a private key (RFC 7517). @throws {RelayFault} `bad_config` when it cannot be read or made, or is no JSON. */
export async function readOrMakeKey(path: string, what: string, make: () => Promise<JWK>): Promise<JWK> {
  const text = await readOrMakeSecret(path, what, async () => JSON.stringify(await make()))
  try {
    return JSON.parse(text) as JWK
  } catch (cause) {
    throw new RelayFault('bad_config', `${what} is damaged`, { cause })
  }
}
