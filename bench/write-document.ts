import { rm, writeFile } from 'node:fs/promises'
import { RelayFault } from '../relay/wire/fault.ts'

/** Writes a whole document, or leaves none. @throws {RelayFault} `storage_full` when the disk is full, `unavailable` when it cannot be written. */
export async function writeDocument(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code !== 'ENOSPC') throw new RelayFault('unavailable', 'the report cannot be written there', { cause })
    // Half a report would be taken for a whole one. Devices are left alone.
    if (!path.startsWith('/dev/')) await rm(path, { force: true })
    throw new RelayFault('storage_full', 'the disk is full: the report was not written', { cause })
  }
}
