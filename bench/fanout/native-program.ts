import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../lines/command.ts'
import { millis } from '../../relay/wire/units.ts'

const SOURCES = new URL('native/', import.meta.url)
/** Programs are kept here, by the digest of their source. */
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'kenkyo', 'fanout')
/** Where Debian's Go libraries are. */
const DEBIAN_GO_PATH = '/usr/share/gocode'
const COMPILE_DEADLINE = millis(300_000)

/** Compiles `native/<name>.c` with the system's C compiler. @returns Where it is. @throws {RelayFault} `unavailable`, quoting the compiler. */
export const buildC = (name: string, signal: AbortSignal): Promise<string> =>
  build(`${name}.c`, signal, (source, target) => runCommand('cc', ['-O2', '-o', target, source], { signal, deadline: COMPILE_DEADLINE }))

/** Compiles `native/<name>.go` with the system's Go and Debian's packages alone. @returns Where it is. @throws {RelayFault} `unavailable`, quoting the compiler. */
export const buildGo = (name: string, signal: AbortSignal): Promise<string> =>
  build(`${name}.go`, signal, async (source, target, directory) => {
    // Debian's packages are a GOPATH. That an import path ends in a version is understood there only beside a go.mod.
    const folder = join(directory, 'src', name)
    await mkdir(folder, { recursive: true })
    await cp(source, join(folder, 'main.go'))
    await writeFile(join(folder, 'go.mod'), `module ${name}\n`)
    const environment = ['GO111MODULE=off', 'GOFLAGS=', `GOPATH=${directory}:${DEBIAN_GO_PATH}`, `GOCACHE=${join(directory, 'cache')}`]
    await runCommand('env', ['-C', folder, ...environment, 'go', 'build', '-o', target, '.'], { signal, deadline: COMPILE_DEADLINE })
  })

async function build(file: string, signal: AbortSignal, compile: (source: string, target: string, directory: string) => Promise<unknown>): Promise<string> {
  const source = new URL(file, SOURCES)
  const digest = createHash('sha256').update(await readFile(source)).digest('hex').slice(0, 12)
  const kept = join(CACHE, `${file.replace(/\.\w+$/, '')}-${digest}-${process.arch}`)
  if (await stat(kept).then(() => true, () => false)) return kept
  const directory = await mkdtemp(join(tmpdir(), 'kenkyo-fanout-'))
  try {
    const target = join(directory, 'program')
    await compile(source.pathname, target, directory)
    signal.throwIfAborted()
    await mkdir(CACHE, { recursive: true })
    await cp(target, `${kept}.${process.pid}`)
    await rename(`${kept}.${process.pid}`, kept)
    return kept
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
