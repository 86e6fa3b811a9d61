import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileLook } from './file-settling.ts'

/** A folder of more files than this is no slide. */
const MAX_FILES = 20_000

/** Looks at a file, or at a folder whose files are one slide. @returns undefined when it cannot be seen. */
export async function lookAt(path: string): Promise<FileLook | undefined> {
  try {
    const entry = await stat(path)
    if (!entry.isDirectory()) return { size: entry.size, modifiedAtMillis: entry.mtimeMs }
    let [size, modifiedAtMillis] = [0, entry.mtimeMs]
    const files = (await readdir(path, { withFileTypes: true })).filter(file => file.isFile())
    if (files.length > MAX_FILES) return undefined
    for (const file of files) {
      const each = await stat(join(path, file.name))
      size += each.size
      modifiedAtMillis = Math.max(modifiedAtMillis, each.mtimeMs)
    }
    return { size, modifiedAtMillis, isFolder: true }
  } catch {
    // Not there, not there any more, or a share that is away: all the same until it is seen again.
    return undefined
  }
}

/** Files of a watched folder that may be slides: not hidden, and not a copy program's draft. */
export async function candidatesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.filter(({ name }) => !/^[.~]|\.(tmp|part|partial|crdownload|filepart)$/i.test(name)).map(({ name }) => join(folder, name)).sort()
}
