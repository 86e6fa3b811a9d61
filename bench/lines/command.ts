import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { RelayFault } from '../../relay/wire/fault.ts'
import type { Millis } from '../../relay/wire/units.ts'

const execute = promisify(execFile)

/** What may end a command before its time. */
export interface CommandLimits {
  readonly signal?: AbortSignal
  readonly deadline?: Millis
}

/**
 * Runs a command to its end.
 *
 * @returns Its standard output.
 * @throws {RelayFault} `unavailable`, quoting what it wrote to standard error; or the signal's reason.
 */
export async function runCommand(command: string, args: readonly string[], { signal, deadline }: CommandLimits = {}): Promise<string> {
  try {
    return (await execute(command, args, { maxBuffer: 64 * 2 ** 20, encoding: 'utf8', ...(signal === undefined ? {} : { signal }), ...(deadline === undefined ? {} : { timeout: deadline }) })).stdout
  } catch (cause) {
    signal?.throwIfAborted()
    const stderr = typeof cause === 'object' && cause !== null && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new RelayFault('unavailable', `${[command, ...args].join(' ')} failed${stderr === '' ? '' : `: ${stderr}`}`, { cause })
  }
}
