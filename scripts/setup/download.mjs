import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './command.mjs'
import { cache, logFile, node24 } from './places.mjs'
import { begin } from './terminal.mjs'

const WEEK_MILLIS = 7 * 24 * 3600 * 1000
const ANSWER_TIMEOUT_MILLIS = 20_000
const DOWNLOAD_TIMEOUT_MILLIS = 300_000

/**
 * Runs a package's own installer, which downloads a binary. An installer that fails is left alone
 * for a week, so that a machine without access to its server does not wait for it again and again;
 * deleting the note in the cache's `unreachable` folder tries again at once.
 *
 * @param {string} name - For people and for the note: `ffmpeg-static-5.3.0`.
 * @param {string[]} script - The installer and its arguments, run by Node 24.
 * @param {object} options
 * @param {string} options.cwd
 * @param {NodeJS.ProcessEnv} [options.env] - Added to the environment.
 * @param {string} [options.arriving] - A file that exists once the server has answered, and then has five minutes
 *   to arrive. Without it the installer has 20 seconds in all.
 * @param {boolean} [options.always] - Try although it failed within the week.
 * @returns {Promise<boolean>} Whether the installer succeeded.
 */
export async function tryDownload(name, script, { cwd, env = {}, arriving, always = false }) {
  const note = join(cache, 'unreachable', name)
  const failedAt = statSync(note, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (!always && Date.now() - failedAt < WEEK_MILLIS) return false

  const step = begin(`${name}: downloading`)
  const timeout = new AbortController()
  const answer = setTimeout(() => (arriving && existsSync(arriving)) || timeout.abort(), ANSWER_TIMEOUT_MILLIS)
  const whole = setTimeout(() => timeout.abort(), DOWNLOAD_TIMEOUT_MILLIS)
  const options = { cwd, env: { ...process.env, ...env }, log: logFile(name), abort: timeout.signal }
  const code = await run(node24, script, options)
  clearTimeout(answer)
  clearTimeout(whole)
  if (code === 0) {
    step.end()
    return true
  }
  mkdirSync(join(cache, 'unreachable'), { recursive: true })
  writeFileSync(note, '')
  step.end('not available; doing without')
  return false
}
