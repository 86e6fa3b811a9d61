import { spawnSync } from 'node:child_process'

/** Words before a command that give it the processor whenever it asks for it, and what that is called in reports. */
export interface Priority {
  readonly name: 'realtime' | 'nice' | 'normal'
  readonly words: readonly string[]
}

/**
 * The highest priority that this user may give. The emulator comes before the tools that measure it, so that
 * these neither hold it up nor are held up by whatever else runs: a line is to be measured, not a scheduler.
 *
 * @see sched(7), SCHED_FIFO
 */
export function highestPriority(of: 'emulator' | 'tool'): Priority {
  const wanted: readonly Priority[] = [
    { name: 'realtime', words: ['chrt', '--fifo', of === 'emulator' ? '50' : '10'] },
    { name: 'nice', words: ['nice', '-n', of === 'emulator' ? '-20' : '-10'] },
  ]
  return wanted.find(({ words }) => isGranted(words)) ?? { name: 'normal', words: [] }
}

/** `nice` complains and goes on where `chrt` refuses. */
function isGranted([command = '', ...args]: readonly string[]): boolean {
  const { status, stderr } = spawnSync(command, [...args, 'true'], { encoding: 'utf8' })
  return status === 0 && stderr === ''
}
