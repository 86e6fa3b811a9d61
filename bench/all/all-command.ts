import { resolve } from 'node:path'
import { Command } from 'commander'
import { z } from 'zod'
import { flag, numeric } from '../../relay/runtime/config.ts'
import { RelayFault } from '../../relay/wire/fault.ts'
import { millis } from '../../relay/wire/units.ts'
import { describeCommit, describeHost } from '../host.ts'
import { requireWritable, writeDocument } from '../write-document.ts'
import { AllDocument } from './all-document.ts'
import { formatAll } from './all-table.ts'
import { runAll } from './run-all.ts'
import type { Scenario } from '../scenarios/scenario.ts'

/** The slowest in full takes most of an hour. */
const FULL_LIMIT_SECONDS = 7200
const QUICK_LIMIT_SECONDS = 120
const EXIT_FAILED = 1

const Options = z.strictObject({
  quick: flag().default(false),
  json: z.string().min(1).optional(),
  only: z.string().transform(text => text.split(',')).optional(),
  limitSeconds: numeric(z.int().min(1).max(86_400)).optional(),
})

/** `all`: every scenario, one after the other. */
export const allCommand = (scenarios: readonly Scenario[], signal: AbortSignal): Command =>
  new Command('all')
    .description('Run every scenario, one after the other. What cannot run here is named; a failing one does not stop the rest.')
    .option('--quick', 'measure briefly, to see that everything runs: about a quarter of an hour')
    .option('--only <names>', 'these, separated by commas')
    .option('--limit-seconds <n>', `after which a scenario has failed (default ${FULL_LIMIT_SECONDS}; quick ${QUICK_LIMIT_SECONDS})`)
    .option('--json <file>', 'also write all reports, without raw samples, as one JSON document that compare reads')
    .addHelpText('after', '\nExit codes: 0 all that can run here was measured, and nothing was left behind; 1 not; 2 wrong usage; 130 stopped.\nGoals that a run misses do not count: the table names them.')
    .action(async (flags: Record<string, unknown>) => {
      const result = Options.safeParse(flags)
      if (!result.success) throw new RelayFault('bad_config', z.prettifyError(result.error))
      const { quick, json, only, limitSeconds = quick ? QUICK_LIMIT_SECONDS : FULL_LIMIT_SECONDS } = result.data
      const unknown = only?.find(name => !scenarios.some(scenario => scenario.name === name))
      if (unknown !== undefined) throw new RelayFault('bad_config', `no scenario is called ${JSON.stringify(unknown)}; there are ${scenarios.map(({ name }) => name).join(', ')}`)
      if (json !== undefined) await requireWritable(json)
      const startedAt = new Date().toISOString()
      const root = resolve(import.meta.dirname, '../..')
      const [commit, host] = await Promise.all([describeCommit(root), describeHost()])
      process.exitCode = EXIT_FAILED
      const outcome = await runAll(
        {
          scenarios: scenarios.filter(({ name }) => only?.includes(name) ?? true), isQuick: quick, limit: millis(limitSeconds * 1000),
          main: resolve(import.meta.dirname, '../main.ts'), say: line => void process.stderr.write(`all: ${line}\n`),
        },
        signal,
      )
      const document = AllDocument.parse({ kind: 'kenkyo-bench-all', commit, startedAt, host, quick, ...outcome })
      process.stdout.write(formatAll(document))
      if (json !== undefined) await writeDocument(json, `${JSON.stringify(document, undefined, 1)}\n`)
      process.exitCode = document.leftovers.length > 0 || document.runs.some(run => run.outcome === 'failed') ? EXIT_FAILED : 0
    })
