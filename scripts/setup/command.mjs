import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { SetupFailure } from './terminal.mjs'

/**
 * Runs a command to its end and keeps what it prints in a log file.
 *
 * Ctrl-C, a termination signal and `abort` end the command with everything it started.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {object} options
 * @param {string} options.log - File that the output is appended to.
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {(line: string) => void} [options.onLine] - Sees each line of output.
 * @param {AbortSignal} [options.abort]
 * @returns {Promise<number>} The exit code; -1 when the command was aborted or could not be started.
 * @throws {SetupFailure} When a signal asked the setup to end.
 */
export async function run(command, args, { log, cwd, env = process.env, onLine, abort }) {
  const output = openSync(log, 'a')
  writeSync(output, `$ ${command} ${args.join(' ')}\n`)
  // A process group of its own, so that one signal reaches all of it.
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let interrupted = false
  const kill = () => child.pid !== undefined && child.exitCode === null && process.kill(-child.pid, 'SIGTERM')
  const interrupt = () => {
    interrupted = true
    kill()
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt).on('SIGHUP', interrupt)
  abort?.addEventListener('abort', kill)
  try {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', line => {
        writeSync(output, `${line}\n`)
        onLine?.(line)
      })
    }
    const [code] = await once(child, 'close')
    if (interrupted) throw new SetupFailure('interrupted')
    return code ?? -1
  } catch (cause) {
    if (cause instanceof SetupFailure) throw cause
    writeSync(output, `${cause}\n`)
    return -1
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('SIGHUP', interrupt)
    abort?.removeEventListener('abort', kill)
    closeSync(output)
  }
}
