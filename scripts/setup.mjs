// Brings in what this machine lacks to run (`start`), to test (`test`) or to measure (`bench`) the project: npm packages,
// Node 24, ffmpeg, mediasoup's worker, Debian packages, the built viewer. It needs no package itself
// and runs on Node 20. When nothing is missing it only looks, which takes a fraction of a second.
import { BENCH_PACKAGES, installDebianPackages, START_PACKAGES, TEST_PACKAGES } from './setup/debian-packages.mjs'
import { findFfmpeg } from './setup/ffmpeg.mjs'
import { holdLock } from './setup/lock.mjs'
import { buildWorker, findWorker, WORKER_BUILD_PACKAGES } from './setup/mediasoup-worker.mjs'
import { installModules, linkNode24 } from './setup/node-modules.mjs'
import { complain, SetupFailure } from './setup/terminal.mjs'
import { buildViewer } from './setup/viewer.mjs'

/**
 * Everything, in the order in which one thing needs another. What can be downloaded is tried first,
 * so that Debian's packages are installed once, and no more of them than are needed.
 *
 * @param {string[]} packages - Debian packages that are needed in any case.
 */
async function setUp(packages) {
  await holdLock()
  await installModules()
  linkNode24()
  const hasFfmpeg = await findFfmpeg()
  const hasWorker = await findWorker()
  await installDebianPackages([...packages, ...(hasFfmpeg ? [] : ['ffmpeg']), ...(hasWorker ? [] : WORKER_BUILD_PACKAGES)])
  if (!hasWorker) await buildWorker()
  await buildViewer()
}

const PURPOSES = { start: START_PACKAGES, test: [...START_PACKAGES, ...TEST_PACKAGES], bench: [...START_PACKAGES, ...TEST_PACKAGES, ...BENCH_PACKAGES] }
const packages = PURPOSES[process.argv[2] ?? '']

try {
  if (!packages) throw new SetupFailure('usage: node scripts/setup.mjs start|test|bench')
  await setUp(packages)
} catch (error) {
  if (!(error instanceof SetupFailure)) throw error
  complain(error.message)
  process.exitCode = 1
}
