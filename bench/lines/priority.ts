import { spawnSync } from 'node:child_process'

/** Words before a command that give it the processor whenever it asks for it, and what that is called in reports. */
export interface Priority {
  readonly name: 'realtime' | 'nice' | 'normal'
  readonly words: readonly string[]
}

const REALTIME = { emulator: ['chrt', '--fifo', '50'], tool: ['chrt', '--fifo', '10'], place: ['chrt', '--rr', '5'] } as const
const NICENESS = { emulator: '-20', tool: '-10', place: '-5' } as const

/**
 * The highest priority that this user may give. The emulator comes before the tools that measure it, so that
 * these neither hold it up nor are held up by whatever else runs: a line is to be measured, not a scheduler.
 * What runs at a `place` comes last of these, in turns, and still before everything that has nothing to do with it.
 * Niceness does less: with autogroups it weighs within a session only.
 *
 * @see sched(7), SCHED_FIFO, SCHED_RR and "The autogroup feature"
 */
export function highestPriority(of: 'emulator' | 'tool' | 'place'): Priority {
  const wanted: readonly Priority[] = [
    { name: 'realtime', words: REALTIME[of] },
    { name: 'nice', words: ['nice', '-n', NICENESS[of]] },
  ]
  return wanted.find(({ words }) => isGranted(words)) ?? { name: 'normal', words: [] }
}

/** `nice` complains and goes on where `chrt` refuses. */
function isGranted([command = '', ...args]: readonly string[]): boolean {
  const { status, stderr } = spawnSync(command, [...args, 'true'], { encoding: 'utf8' })
  return status === 0 && stderr === ''
}
