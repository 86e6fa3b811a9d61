import { join } from 'node:path'
import { generateInvitationKey } from '../relay/access/invitation.ts'
import { readOrMakeKey } from '../relay/runtime/secret-file.ts'
import type { JWK } from 'jose'

/**
 * Reads the node's invitation key from its state directory; the first reader makes it.
 *
 * @throws {RelayFault} `bad_config` when the directory or the file cannot be used.
 */
export function loadInvitationKey(stateDir: string): Promise<JWK> {
  const path = join(stateDir, 'invitation-key.json')
  return readOrMakeKey(path, path, generateInvitationKey)
}
