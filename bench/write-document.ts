import { open, rm, writeFile } from 'node:fs/promises'
import { RelayFault } from '../relay/wire/fault.ts'

/** Whether the disk was full, anywhere down the causes of a failure. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && (('code' in error && error.code === 'ENOSPC') || isDiskFull(error.cause))
}

/** Finds out before a measurement whether its document can be written, and leaves nothing. @throws {RelayFault} `bad_config` when not. */
export async function requireWritable(path: string): Promise<void> {
  try {
    const file = await open(path, 'wx')
    await file.close()
    await rm(path)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return
    if (isDiskFull(cause)) throw new RelayFault('storage_full', 'the disk is full: the report could not be written there', { cause })
    throw new RelayFault('bad_config', 'the report cannot be written there', { cause })
  }
}

/** Writes a whole document, or leaves none. @throws {RelayFault} `storage_full` when the disk is full, `unavailable` when it cannot be written. */
export async function writeDocument(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text)
  } catch (cause) {
    if (!isDiskFull(cause)) throw new RelayFault('unavailable', 'the report cannot be written there', { cause })
    // Half a report would be taken for a whole one. Devices are left alone.
    if (!path.startsWith('/dev/')) await rm(path, { force: true })
    throw new RelayFault('storage_full', 'the disk is full: the report was not written', { cause })
  }
}
