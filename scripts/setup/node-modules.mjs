import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { run } from './command.mjs'
import { logFile, modules, node24, root } from './places.mjs'
import { begin, SetupFailure } from './terminal.mjs'

/**
 * Runs `npm ci` unless node_modules already holds what package-lock.json asks for.
 *
 * @throws {SetupFailure} When npm fails.
 */
export async function installModules() {
  if (modulesMatchLock()) return
  const log = logFile('npm-ci')
  const step = begin('npm packages')
  // npm must not run on the Node inside the folder that it replaces.
  const PATH = (process.env.PATH ?? '').split(delimiter).filter(folder => !folder.endsWith('node_modules/.bin')).join(delimiter)
  // Only errors: npm 10 on Node 20 warns of every package that wants a newer Node, which they get.
  const code = await run('npm', ['ci', '--loglevel=error'], { cwd: root, env: { ...process.env, PATH }, log })
  if (code !== 0) throw new SetupFailure(`npm ci failed; full log: ${log}`)
  step.end()
}

/**
 * Compares the lock file with npm's own record of what it installed. An optional package may be
 * absent, since most are there for other platforms.
 */
function modulesMatchLock() {
  const record = join(modules, '.package-lock.json')
  if (!existsSync(record)) return false
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  delete wanted[''] // the project itself
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    const found = installed[path]
    if (!found) return optional === true
    return found.version === version && found.integrity === integrity && existsSync(join(root, path))
  })
}

/**
 * Puts the Node 24 of this platform where the package `node` would have put it, had its install
 * script been allowed to run.
 *
 * @throws {SetupFailure} When the lock file has no Node for this platform.
 */
export function linkNode24() {
  const platform = `${process.platform}-${process.arch}`
  const source = join(modules, `node-${platform}`, 'bin', 'node')
  const target = join(modules, 'node', 'bin', 'node')
  if (!existsSync(source)) throw new SetupFailure(`package-lock.json has no Node 24 for ${platform}`)
  if (!isSameFile(source, target)) {
    mkdirSync(dirname(target), { recursive: true })
    const fresh = `${target}.${process.pid}`
    try {
      linkSync(source, fresh)
    } catch {
      // Some file systems have no hard links.
      copyFileSync(source, fresh)
    }
    renameSync(fresh, target)
  }
  if (!existsSync(node24)) {
    mkdirSync(dirname(node24), { recursive: true })
    rmSync(node24, { force: true })
    symlinkSync('../node/bin/node', node24)
  }
}

/**
 * @param {string} source
 * @param {string} target
 * @returns {boolean} Whether the target is a link to the source or a copy of it.
 */
function isSameFile(source, target) {
  const [from, to] = [statSync(source), statSync(target, { throwIfNoEntry: false })]
  return to !== undefined && (from.ino === to.ino || (from.size === to.size && from.mtimeMs <= to.mtimeMs))
}
