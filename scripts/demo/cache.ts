import { createHash } from 'node:crypto'
import { readManifest } from '../../clients/capture/recording.ts'
import { RelayFault } from '../../relay/wire/fault.ts'

/** A directory name that changes with anything the content depends on. */
export function cachedName(kind: string, parameters: object): string {
  const digest = createHash('sha256').update(JSON.stringify(parameters)).digest('hex').slice(0, 12)
  return `${kind}-${digest}`
}

/** Whether a directory holds a recording; its packets are checked when it is replayed. */
export async function holdsRecording(directory: string): Promise<boolean> {
  try {
    await readManifest(directory)
    return true
  } catch (error) {
    if (error instanceof RelayFault && error.code === 'bad_recording') return false
    throw error
  }
}
