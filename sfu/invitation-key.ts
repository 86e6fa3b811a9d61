import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateInvitationKey } from '../relay/access/invitation.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import type { JWK } from 'jose'

const FILE_NAME = 'invitation-key.json'

/** Makes the file whole or not at all, and leaves one alone that somebody else made meanwhile. */
async function makeKey(path: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(await generateInvitationKey()), { flag: 'wx', mode: 0o600 })
  try {
    await link(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(draft)
  }
}

/**
 * Reads the node's invitation key from its state directory; the first reader makes it.
 *
 * @throws {RelayFault} `bad_config` when the directory or the file cannot be used.
 */
export async function loadInvitationKey(stateDir: string): Promise<JWK> {
  const path = join(stateDir, FILE_NAME)
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 })
    if (!existsSync(path)) await makeKey(path)
    return JSON.parse(await readFile(path, 'utf8')) as JWK
  } catch (cause) {
    throw new RelayFault('bad_config', `${path} cannot be read or made`, { cause })
  }
}
