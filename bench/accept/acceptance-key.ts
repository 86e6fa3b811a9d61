import { readFile } from 'node:fs/promises'
import { RelayFault } from '../../relay/wire/fault.ts'
import { parseAcceptanceKey } from './control-channel.ts'

/** The key that both ends have. @throws {RelayFault} `bad_config` */
export async function readAcceptanceKey(file: string | undefined): Promise<Buffer> {
  if (file === undefined) throw new RelayFault('bad_config', 'give --key-file FILE, with the same key at both ends: openssl rand -hex 32')
  const text = await readFile(file, 'utf8').catch((cause: unknown) => Promise.reject(new RelayFault('bad_config', 'the key file cannot be read', { cause })))
  return parseAcceptanceKey(text)
}
