import { readFile } from 'node:fs/promises'
import { RelayFault } from '../../wire/fault.ts'

/** More than this a list of revocations does not take, in bytes. */
const MAX_BYTES = 16 * 1024 * 1024

/** PEM files of a member's trust, read anew each time they are asked for: the CA, or whoever fetches from it, replaces them. */
export interface TrustFiles {
  /** Every CA of a path: the root and the issuing CAs below it. */
  readonly caFile: string
  /** Revocation lists of every CA of a path; undefined: revocation is known from the registry alone. */
  readonly crlFile?: string | undefined
}

/** @throws {RelayFault} `bad_config` when a file cannot be read or is too large. */
export async function readTrust({ caFile, crlFile }: TrustFiles): Promise<{ anchorsPem: string; crlsPem: string | undefined }> {
  try {
    const [anchors, crls] = await Promise.all([readFile(caFile), crlFile === undefined ? undefined : readFile(crlFile)])
    if (anchors.length > MAX_BYTES || (crls?.length ?? 0) > MAX_BYTES) throw new Error('too large')
    return { anchorsPem: anchors.toString('latin1'), crlsPem: crls?.toString('latin1') }
  } catch (cause) {
    throw new RelayFault('bad_config', 'the certificates to trust, or the revocation lists, cannot be read', { cause })
  }
}
