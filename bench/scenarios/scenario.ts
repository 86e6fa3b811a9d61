import type { Command } from 'commander'
import type { Need } from '../all/needs.ts'
import type { Outcome } from '../report.ts'

/** What every scenario is given. */
export interface BenchContext {
  /** Measure briefly: to see that it works, not to quote. */
  readonly isQuick: boolean
  /** Aborts when the person at the terminal wants an end. */
  readonly signal: AbortSignal
  /** One line for that person. */
  readonly say: (line: string) => void
}

/** One thing that can be measured. */
export interface Scenario {
  readonly name: string
  readonly summary: string
  /** Without which it cannot be measured at all. */
  readonly needs: readonly Need[]
  /** What it is asked for among all, where it does nothing unasked. */
  readonly argumentsAmongAll?: readonly string[]
  /** Adds the scenario's own options. */
  readonly configure: (command: Command) => Command
  /** @returns Undefined when there is nothing to report. @throws {RelayFault} `bad_config` for options that make no sense, or why it could not be measured. */
  readonly run: (options: Readonly<Record<string, unknown>>, context: BenchContext) => Promise<Outcome | undefined>
  /** Exit code when it could not be measured; 1 without it. */
  readonly failedExitCode?: number
}
