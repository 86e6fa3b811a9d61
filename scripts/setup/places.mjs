import { mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where `npm ci` puts the packages. */
export const modules = join(root, 'node_modules')

/** The Node 24 that runs everything but the setup. */
export const node24 = join(modules, '.bin', 'node')

const xdg = process.env.XDG_CACHE_HOME ?? ''

/** What outlives a clone: compiled workers, logs, notes about unreachable downloads. */
export const cache = join(isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'kenkyo')

/**
 * Starts a log file afresh.
 *
 * @param {string} name
 */
export function logFile(name) {
  mkdirSync(join(cache, 'logs'), { recursive: true })
  const file = join(cache, 'logs', `${name}.log`)
  writeFileSync(file, '')
  return file
}
