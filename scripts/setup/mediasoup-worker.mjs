import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from './command.mjs'
import { installDebianPackages } from './debian-packages.mjs'
import { tryDownload } from './download.mjs'
import { hashFiles } from './folder-hash.mjs'
import { cache, logFile, modules, root } from './places.mjs'
import { begin, say, SetupFailure } from './terminal.mjs'

/** What compiling the worker needs. */
export const WORKER_BUILD_PACKAGES = [
  ...['g++', 'meson', 'ninja-build', 'pkg-config', 'patch', 'dpkg-dev', 'ca-certificates'],
  ...['libuv1-dev', 'libssl-dev', 'libabsl-dev', 'flatbuffers-compiler', 'libflatbuffers-dev'],
]

const recipe = join(root, 'scripts/mediasoup-worker')
const folder = join(modules, 'mediasoup')
/** Where the library looks when neither an option nor MEDIASOUP_WORKER_BIN tells it otherwise. */
const installed = join(folder, 'worker/out/Release/mediasoup-worker')
/** Says from which recipe the installed worker was built; absent beside a prebuilt one. */
const stamp = join(folder, 'worker/out/Release/built-from')

/**
 * Brings in the worker as far as that goes without compiling: from `MEDIASOUP_WORKER_BIN`, from
 * mediasoup's own prebuilt binaries, or from the cache.
 *
 * @returns {Promise<boolean>} Whether there is one; if not, it is to be built.
 * @throws {SetupFailure} When `MEDIASOUP_WORKER_BIN` names something that does not run.
 */
export async function findWorker() {
  const chosen = process.env.MEDIASOUP_WORKER_BIN
  if (chosen) {
    if (runs(chosen)) return true
    throw new SetupFailure(`MEDIASOUP_WORKER_BIN is ${chosen}, which does not run as a mediasoup worker`)
  }
  const { version, key } = identify()
  if (runs(installed) && (!existsSync(stamp) || readFileSync(stamp, 'utf8') === key)) return true
  if (await downloadPrebuilt(version)) return true
  if (!runs(cached(key))) return false
  install(key)
  return true
}

/**
 * Compiles the worker by the recipe in scripts/mediasoup-worker and keeps it in the cache.
 *
 * @throws {SetupFailure} When the recipe does not fit this mediasoup, or compiling fails.
 */
export async function buildWorker() {
  const { version, key } = identify()
  const work = mkdtempSync(join(tmpdir(), 'kenkyo-mediasoup-worker-'))
  const log = logFile(`mediasoup-worker-${version}`)
  try {
    await fetchLibsrtp(work, log)
    await compile(work, version, log)
    publish(join(work, 'mediasoup-worker'), cached(key))
    install(key)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Which worker is wanted: mediasoup's version, and the name of what our recipe makes of it here. */
function identify() {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  const field = name => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(release)?.[1] ?? 'unknown'
  const hash = hashFiles(recipe, ['.'], path => path !== 'README.md')
  return { version, key: `${version}-${hash}-${process.arch}-${field('ID')}${field('VERSION_ID')}` }
}

/** @param {string} key */
function cached(key) {
  return join(cache, 'mediasoup-worker', key, 'mediasoup-worker')
}

/**
 * Asks mediasoup for its prebuilt worker, in mediasoup's own way. Its script would go on to build
 * with pip what it could not download; a Python that always fails keeps it from that.
 *
 * @param {string} version
 */
async function downloadPrebuilt(version) {
  const downloaded = await tryDownload(`mediasoup-worker-${version}`, ['npm-scripts.mjs', 'postinstall'], {
    cwd: folder,
    env: { PYTHON: '/bin/false' },
    always: process.env.MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL !== undefined,
  })
  if (!downloaded || !runs(installed)) return false
  rmSync(stamp, { force: true })
  return true
}

/**
 * Unpacks libsrtp's source, or makes sure of Debian's binary package where that cannot be had.
 *
 * @param {string} work
 * @param {string} log
 */
async function fetchLibsrtp(work, log) {
  const step = begin('source of libsrtp2')
  const code = await run(join(recipe, 'fetch-libsrtp.sh'), [work], { log })
  if (code === 0) return step.end()
  step.end("not to be had from apt; linking Debian's binary, with which the HMAC-SHA1 suites cost several times the CPU")
  rmSync(join(work, 'libsrtp2'), { recursive: true, force: true })
  await installDebianPackages(['libsrtp2-dev'])
}

/**
 * @param {string} work
 * @param {string} version
 * @param {string} log
 */
async function compile(work, version, log) {
  const step = begin(`mediasoup worker ${version}, compiled once and kept`)
  let reason = `mediasoup ${version}: the recipe in scripts/mediasoup-worker failed`
  /** @param {string} line */
  const onLine = line => {
    const [, done, all] = /^\[(\d+)\/(\d+)\]/.exec(line) ?? []
    if (done) step.progress(`[${done}/${all}]`)
    if (line.startsWith('left out: ')) say(`warning: ${line}`)
    if (line.startsWith('recipe: ')) reason = line.slice('recipe: '.length)
  }
  const code = await run(join(recipe, 'build.sh'), [folder, work], { log, onLine })
  if (code === 0 && !runs(join(work, 'mediasoup-worker'))) reason = `mediasoup ${version}: the worker was built but does not run`
  else if (code === 0) return step.end()
  throw new SetupFailure(`${reason}; full log: ${log}`)
}

/**
 * Moves a binary into the cache in one step, so that nobody ever sees half of it.
 *
 * @param {string} binary
 * @param {string} target
 */
function publish(binary, target) {
  mkdirSync(dirname(target), { recursive: true })
  copyFileSync(binary, `${target}.${process.pid}`)
  renameSync(`${target}.${process.pid}`, target)
}

/**
 * Copies a worker from the cache to where the library looks for it.
 *
 * @param {string} key
 */
function install(key) {
  publish(cached(key), installed)
  writeFileSync(stamp, key)
}

/**
 * mediasoup's own test of a worker: started by nobody's channel, it exits with 41.
 *
 * @param {string} binary
 */
function runs(binary) {
  return spawnSync(binary, [], { env: {}, stdio: 'ignore' }).status === 41
}
