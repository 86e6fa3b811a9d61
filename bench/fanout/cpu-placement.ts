import { readFileSync } from 'node:fs'
import { RelayFault } from '../../relay/wire/fault.ts'
import { runCommand } from '../lines/command.ts'

/** Which CPUs the engine has for itself, and which all others share, as taskset has them. */
export interface CpuPlacement {
  readonly engine: string
  readonly others: string
}

/** Parses a list of CPUs, such as `0-2,5`. @see proc(5), `Cpus_allowed_list` */
export function parseCpuList(text: string): number[] {
  return text.trim().split(',').flatMap(part => {
    const [first = NaN, last = first] = part.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

/** The first CPU that this process may run on is the engine's. @throws {RelayFault} `unavailable` when there is only one. */
export function placeOnCpus(): CpuPlacement {
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  const [engine, ...others] = parseCpuList(allowed)
  if (engine === undefined || others.length === 0) throw new RelayFault('unavailable', 'fan-out takes two CPUs: one for the engine, one for whoever sends and receives')
  return { engine: String(engine), others: others.join() }
}

/** Keeps all threads of this process off the engine's CPU until it is disposed of. */
export async function yieldEngineCpu({ engine, others }: CpuPlacement, signal: AbortSignal): Promise<AsyncDisposable> {
  const place = (cpus: string): Promise<string> => runCommand('taskset', ['--all-tasks', '--cpu-list', '--pid', cpus, String(process.pid)], { signal })
  await place(others)
  return { [Symbol.asyncDispose]: () => place(`${engine},${others}`).then(() => undefined, () => undefined) }
}
