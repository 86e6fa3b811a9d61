import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { RelayFault } from '../../relay/wire/fault.ts'

const execute = promisify(execFile)

/**
 * Runs a command to its end.
 *
 * @returns Its standard output.
 * @throws {RelayFault} `unavailable`, quoting what it wrote to standard error.
 */
export async function runCommand(command: string, args: readonly string[]): Promise<string> {
  try {
    return (await execute(command, args, { maxBuffer: 64 * 2 ** 20, encoding: 'utf8' })).stdout
  } catch (cause) {
    const stderr = typeof cause === 'object' && cause !== null && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new RelayFault('unavailable', `${[command, ...args].join(' ')} failed${stderr === '' ? '' : `: ${stderr}`}`, { cause })
  }
}
