import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks per second in `/proc`: fixed on every architecture that Node runs on. @see proc(5), sysconf(3) */
const TICKS_PER_SECOND = 100

/** What one process has used. */
export interface ProcessUsage {
  readonly pid: number
  /** As the kernel has it: 15 characters at most. */
  readonly command: string
  /** User and system time since it began. */
  readonly cpuSeconds: number
  readonly residentBytes: number
}

/**
 * Parses `/proc/<pid>/stat`.
 *
 * @see proc(5): the command is in parentheses and may contain any character, so fields count from the last one.
 */
export function parseStat(text: string): { readonly command: string; readonly cpuSeconds: number } {
  const end = text.lastIndexOf(')')
  const fields = text.slice(end + 2).split(' ')
  // Fields 14 and 15, utime and stime; the one after the parenthesis is field 3.
  const ticks = Number(fields[11]) + Number(fields[12])
  return { command: text.slice(text.indexOf('(') + 1, end), cpuSeconds: ticks / TICKS_PER_SECOND }
}

/** Reads what one process has used; undefined when it is gone. */
export function readProcessUsage(pid: number): ProcessUsage | undefined {
  try {
    const { command, cpuSeconds } = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return { pid, command, cpuSeconds, residentBytes: Number(kibibytes ?? 0) * 1024 }
  } catch {
    // Between two lines of this function, any process may end.
    return undefined
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(task =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(child => child !== '').map(Number),
    )
  } catch {
    // It has ended, and its children belong to somebody else now.
    return []
  }
}

/** What a process and everything it started have used, the process itself first. Empty when it is gone. */
export function readTreeUsage(pid: number): ProcessUsage[] {
  const usage = readProcessUsage(pid)
  return usage === undefined ? [] : [usage, ...childrenOf(pid).flatMap(readTreeUsage)]
}
