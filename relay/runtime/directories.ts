import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/** A base directory that must be absolute to count. @see XDG Base Directory Specification, "Basics" */
function baseDirectory(environment: Environment, name: string, ...fallback: string[]): string {
  const named = environment[name] ?? ''
  return isAbsolute(named) ? named : join(environment['HOME'] ?? homedir(), ...fallback)
}

/** Where kenkyo keeps what can be made again. */
export const cacheDirectory = (environment: Environment = process.env): string =>
  join(baseDirectory(environment, 'XDG_CACHE_HOME', '.cache'), 'kenkyo')

/** Where kenkyo keeps what must survive a restart. */
export const stateDirectory = (environment: Environment = process.env): string =>
  join(baseDirectory(environment, 'XDG_STATE_HOME', '.local', 'state'), 'kenkyo')
