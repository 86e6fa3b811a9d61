import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/**
 * A short digest of the names and contents of files.
 *
 * @param {string} base - Names are taken relative to this folder.
 * @param {string[]} paths - Files and folders.
 * @param {(path: string) => boolean} isIncluded - Asked with each file's path relative to `base`.
 * @returns {string} 12 hexadecimal digits.
 */
export function hashFiles(base, paths, isIncluded = () => true) {
  const hash = createHash('sha256')
  const files = paths.flatMap(path => listFiles(join(base, path))).map(file => relative(base, file))
  for (const file of files.filter(isIncluded).sort()) {
    const content = readFileSync(join(base, file))
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex').slice(0, 12)
}

/**
 * @param {string} path
 * @returns {string[]}
 */
function listFiles(path) {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap(entry =>
      entry.isDirectory() ? listFiles(join(path, entry.name)) : [join(path, entry.name)],
    )
  } catch (error) {
    if (error.code === 'ENOTDIR') return [path]
    throw error
  }
}
