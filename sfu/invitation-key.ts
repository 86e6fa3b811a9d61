import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateInvitationKey } from '../relay/access/invitation.ts'
import { RelayFault } from '../relay/wire/fault.ts'
import type { JWK } from 'jose'

const FILE_NAME = 'invitation-key.json'

/**
 * Reads the node's invitation key from its state directory; the first reader makes it.
 *
 * @throws {RelayFault} `bad_config` when the directory or the file cannot be used.
 */
export async function loadInvitationKey(stateDir: string): Promise<JWK> {
  const path = join(stateDir, FILE_NAME)
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 })
    const fresh = JSON.stringify(await generateInvitationKey())
    await writeFile(path, fresh, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    })
    return JSON.parse(await readFile(path, 'utf8')) as JWK
  } catch (cause) {
    throw new RelayFault('bad_config', `${path} cannot be read or made`, { cause })
  }
}
