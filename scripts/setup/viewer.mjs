import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './command.mjs'
import { hashFiles } from './folder-hash.mjs'
import { logFile, modules, node24, root } from './places.mjs'
import { begin, SetupFailure } from './terminal.mjs'

const SOURCES = ['clients/viewer', 'relay/wire', 'package-lock.json']
const stamp = join(root, 'clients/viewer/dist/.built-from')

/**
 * Builds the viewer into clients/viewer/dist unless that was made from these very sources.
 *
 * @throws {SetupFailure} When the build fails.
 */
export async function buildViewer() {
  if (!existsSync(join(root, 'clients/viewer/vite.config.ts'))) return
  const isSource = path => !path.startsWith('clients/viewer/dist/') && !path.endsWith('.test.ts')
  const sources = hashFiles(root, SOURCES, isSource)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return

  const log = logFile('viewer')
  const step = begin('viewer')
  const code = await run(node24, [join(modules, 'vite/bin/vite.js'), 'build', 'clients/viewer'], { cwd: root, log })
  if (code !== 0) throw new SetupFailure(`the viewer could not be built; full log: ${log}`)
  writeFileSync(stamp, sources)
  step.end()
}
