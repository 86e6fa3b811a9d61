// Runs mediasoup's own Node tests, compiled as its package has them, against the worker that setup installed or
// MEDIASOUP_WORKER_BIN names: once as it is, once with KENKYO_WORKER_GSO=off. What they need beside mediasoup is installed from the
// registry into a temporary folder, at the versions that mediasoup asks for. Arguments are passed on to jest.
//
// Exit code 0 when everything passed, 1 when not, 2 when it could not be run.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

const root = join(import.meta.dirname, '..')
const mediasoup = join(root, 'node_modules/mediasoup')
const worker = process.env['MEDIASOUP_WORKER_BIN'] ?? join(mediasoup, 'worker/out/Release/mediasoup-worker')
/** Beside the modules that mediasoup itself needs, which this project has. */
const TOOLS = ['jest', 'pick-port', 'werift-sctp']

/** Runs a program to its end. @returns Its exit code, 1 when a signal ended it. */
async function run(command: string, args: readonly string[], cwd: string, environment: Readonly<Record<string, string>> = {}): Promise<number> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...environment } })
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
}

const directory = await mkdtemp(join(tmpdir(), 'kenkyo-mediasoup-tests-'))
try {
  const description = JSON.parse(await readFile(join(mediasoup, 'package.json'), 'utf8')) as { readonly devDependencies: Readonly<Record<string, string>> }
  const devDependencies = Object.fromEntries(TOOLS.map(tool => [tool, description.devDependencies[tool] ?? 'latest']))
  // Outside of node_modules, where jest looks for no tests.
  const copy = join(directory, 'mediasoup')
  await cp(mediasoup, copy, { recursive: true, dereference: true, filter: path => !relative(mediasoup, path).startsWith('worker') })
  await mkdir(join(copy, 'worker/out/Release'), { recursive: true })
  await cp(worker, join(copy, 'worker/out/Release/mediasoup-worker'))
  await writeFile(join(directory, 'package.json'), JSON.stringify({ private: true, devDependencies }))
  // The package leaves out the tests' certificate.
  const data = join(copy, 'node/lib/test/data')
  await mkdir(data)
  const isReady =
    (await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel', 'error'], directory)) === 0 &&
    (await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-batch', '-subj', '/CN=mediasoup-tests', '-days', '7', '-keyout', join(data, 'dtls-key.pem'), '-out', join(data, 'dtls-cert.pem')], directory)) === 0
  const config = { rootDir: copy, testMatch: ['<rootDir>/node/lib/test/test-*.js'], transform: {}, modulePaths: [join(root, 'node_modules'), join(directory, 'node_modules')], cacheDirectory: join(directory, 'cache') }
  process.exitCode = isReady ? 0 : 2
  for (const wish of isReady ? ['on', 'off'] : []) {
    console.error(`KENKYO_WORKER_GSO=${wish}`)
    const jest = join(directory, 'node_modules/jest/bin/jest.js')
    const code = await run(process.execPath, [jest, '--config', JSON.stringify(config), '--runInBand', '--silent', ...process.argv.slice(2)], copy, { KENKYO_WORKER_GSO: wish, MEDIASOUP_WORKER_BIN: worker })
    if (code !== 0) process.exitCode = 1
  }
} finally {
  await rm(directory, { recursive: true, force: true })
}
