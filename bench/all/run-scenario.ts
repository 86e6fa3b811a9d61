import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../relay/runtime/clock.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { ChildProgram } from '../processes.ts'
import { Report } from '../report.ts'
import { condense } from './all-document.ts'
import type { Millis } from '../../relay/wire/units.ts'
import type { ScenarioRun } from './all-document.ts'

/** How one scenario among all is run. */
export interface ScenarioCommand {
  readonly scenario: string
  /** Of the bench: what the process is told, the scenario first. */
  readonly args: readonly string[]
  /** The bench itself. */
  readonly main: string
  /** For its report. */
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  readonly limit: Millis
  readonly say: (line: string) => void
}

/**
 * Runs one scenario in a process of its own, so that whatever becomes of it, the next one begins anew.
 *
 * @throws {unknown} The signal's reason; whatever else happens is told by what it returns.
 */
export async function runScenarioProcess(command: ScenarioCommand, signal: AbortSignal): Promise<ScenarioRun> {
  const { scenario, limit } = command
  const begun = systemClock.now()
  const ended = (rest: Pick<ScenarioRun, 'outcome' | 'reason' | 'report'>): ScenarioRun => ({ scenario, seconds: (systemClock.now() - begun) / 1000, ...rest })
  const file = join(command.directory, `${scenario}.json`)
  try {
    await using program = await ChildProgram.start({
      name: scenario, command: process.execPath, args: [command.main, ...command.args, '--json', file], environment: command.environment,
    })
    // Progress is passed on; nobody waits for a line of it.
    const progress = new AbortController()
    const passOn = (line: string): undefined => {
      if (line.startsWith(`${scenario}: `)) command.say(line)
    }
    void program.line(passOn, limit, progress.signal).catch(() => undefined)
    const { code } = await program.finished(limit, signal).finally(() => progress.abort(new RelayFault('unavailable', 'ended')))
    const report = await readReport(file)
    if (code === 0 && report !== undefined) return ended({ outcome: 'measured', report })
    const reason = program.lastErrorLines.findLast(line => line.startsWith('bench: '))?.slice('bench: '.length) ?? `ended with code ${code ?? '?'}`
    return ended({ outcome: 'failed', reason, ...(report === undefined ? {} : { report }) })
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof RelayFault)) throw error
    return ended({ outcome: 'failed', reason: error.message.split('\n')[0] ?? error.code })
  }
}

/** @returns Undefined when there is none: a run that failed writes none. */
async function readReport(file: string): Promise<Report | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : condense(Report.parse(JSON.parse(text)))
}
