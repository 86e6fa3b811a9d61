import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { ServiceId } from '../../relay/wire/access.ts'
import { RelayFault } from '../../relay/wire/fault.ts'

/** What a field value may be of. @see RFC 9110 section 5.5 */
const Authorization = z.string().min(1).max(4096).regex(/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/)
const Credentials = z.record(z.string(), Authorization)

/** `Authorization` that a node shows to services, by their names: one JSON object in a file. @throws {RelayFault} `bad_config`; nothing of the file is told. */
export function readServiceCredentials(path: string): ReadonlyMap<ServiceId, string> {
  try {
    const entries = Object.entries(Credentials.parse(JSON.parse(readFileSync(path, 'utf8'))))
    return new Map(entries.map(([id, authorization]) => [ServiceId.parse(id), authorization]))
  } catch {
    // The cause would quote what must not be told.
    throw new RelayFault('bad_config', 'serviceCredentialsFile is not a JSON object of names of services and what to show them')
  }
}
