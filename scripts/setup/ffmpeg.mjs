import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { tryDownload } from './download.mjs'
import { modules } from './places.mjs'
import { SetupFailure } from './terminal.mjs'

const folder = join(modules, 'ffmpeg-static')
const binary = join(folder, 'ffmpeg')

/**
 * Looks for an ffmpeg in the order in which the capture agent does: `KENKYO_FFMPEG`, the binary of
 * the package ffmpeg-static (downloaded now if it can be), the one on PATH.
 *
 * @returns {Promise<boolean>} Whether there is one; if not, Debian's is to be installed.
 * @throws {SetupFailure} When `KENKYO_FFMPEG` names something that does not run.
 */
export async function findFfmpeg() {
  const chosen = process.env.KENKYO_FFMPEG
  if (chosen) {
    if (runs(chosen)) return true
    throw new SetupFailure(`KENKYO_FFMPEG is ${chosen}, which does not run as an ffmpeg`)
  }
  return existsSync(binary) || (await downloadStatic()) || runs('ffmpeg')
}

/** Has ffmpeg-static download its binary; a broken one is removed. */
async function downloadStatic() {
  if (!existsSync(folder)) return false
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const downloaded = await tryDownload(`ffmpeg-static-${version}`, ['install.js'], { cwd: folder, arriving: binary })
  if (downloaded && runs(binary)) return true
  rmSync(binary, { force: true })
  return false
}

/** @param {string} ffmpeg */
function runs(ffmpeg) {
  return spawnSync(ffmpeg, ['-version'], { stdio: 'ignore' }).status === 0
}
