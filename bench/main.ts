#!/usr/bin/env node
/** `npm run bench -- <scenario>`: measures, prints a table, and writes one JSON document for machines. */
import { resolve } from 'node:path'
import { Command, CommanderError } from 'commander'
import { RelayFault } from '../relay/wire/fault.ts'
import { allCommand } from './all/all-command.ts'
import { ClockWatch } from './clock-watch.ts'
import { describeCommit, describeHost } from './host.ts'
import { formatReport, Report } from './report.ts'
import { compareCommand } from './trend/compare-command.ts'
import { isDiskFull, requireWritable, writeDocument } from './write-document.ts'
import { accept } from './scenarios/accept.ts'
import { admission } from './scenarios/admission.ts'
import { audit } from './scenarios/audit.ts'
import { demand } from './scenarios/demand.ts'
import { detail } from './scenarios/detail.ts'
import { fanout } from './scenarios/fanout.ts'
import { firstView } from './scenarios/first-view.ts'
import { glass } from './scenarios/glass.ts'
import { largeSlide } from './scenarios/large-slide.ts'
import { line } from './scenarios/line.ts'
import { live } from './scenarios/live.ts'
import { narrow } from './scenarios/narrow.ts'
import { networks } from './scenarios/networks.ts'
import { observed } from './scenarios/observed.ts'
import { paths } from './scenarios/paths.ts'
import { picture } from './scenarios/picture.ts'
import { pointer } from './scenarios/pointer.ts'
import { repair } from './scenarios/repair.ts'
import { sharing } from './scenarios/sharing.ts'
import { slides } from './scenarios/slides.ts'
import { stage } from './scenarios/stage.ts'
import { tilesService } from './scenarios/tiles-service.ts'
import { withdrawal } from './scenarios/withdrawal.ts'
import type { Scenario } from './scenarios/scenario.ts'

const SCENARIOS: readonly Scenario[] = [line, live, picture, demand, detail, glass, narrow, repair, paths, sharing, slides, firstView, largeSlide, observed, networks, tilesService, stage, pointer, audit, accept, admission, withdrawal, fanout]

const EXIT_FAILED = 1
const EXIT_USAGE = 2
const EXIT_INTERRUPTED = 130

const stop = new AbortController()
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!stop.signal.aborted) interruption.abort()
    stop.abort(new RelayFault('unavailable', `stopped by ${signal}`))
  })
}

async function runScenario(scenario: Scenario, flags: Readonly<Record<string, unknown>>): Promise<void> {
  const { quick, json, ...options } = flags
  if (typeof json === 'string') await requireWritable(json)
  const root = resolve(import.meta.dirname, '..')
  const startedAt = new Date().toISOString()
  const [commit, host] = await Promise.all([describeCommit(root), describeHost()])
  const context = { isQuick: quick === true, signal: stop.signal, say: (line: string) => void process.stderr.write(`${scenario.name}: ${line}\n`) }
  process.exitCode = scenario.failedExitCode ?? EXIT_FAILED
  using _clock = new ClockWatch(step => stop.abort(new RelayFault('unavailable', `the clock was set by ${(step / 1000).toFixed(1)} s during the measurement: nothing of it counts`)))
  const outcome = await scenario.run(options, context)
  stop.signal.throwIfAborted()
  if (outcome === undefined) {
    process.exitCode = 0
    return
  }
  const { parameters, lines = [], exitCode = 0, ...measured } = outcome
  const report = Report.parse({
    scenario: scenario.name, commit, startedAt, host,
    parameters: { quick: context.isQuick, ...parameters },
    ...measured,
  })
  // What cannot be kept is not said either.
  if (typeof json === 'string') await writeDocument(json, `${JSON.stringify(report)}\n`)
  process.stdout.write([...lines, ...(lines.length > 0 ? [''] : []), formatReport(report)].join('\n'))
  process.exitCode = exitCode
}

const bench = new Command('bench')
  .description('Measure kenkyo on this machine. Every number printed was measured in this run.')
  .showHelpAfterError('(--help lists the scenarios)')
  .exitOverride()
for (const scenario of SCENARIOS) {
  const command = new Command(scenario.name)
    .description(scenario.summary)
    .exitOverride()
    .showHelpAfterError('(--help lists the options)')
    .option('--quick', 'measure briefly: to see that it works, not to quote')
    .option('--json <file>', 'also write the report with its raw samples as one JSON document')
    .action((flags: Record<string, unknown>) => runScenario(scenario, flags))
  bench.addCommand(scenario.configure(command))
}
for (const command of [allCommand(SCENARIOS, stop.signal), compareCommand()]) {
  bench.addCommand(command.exitOverride().showHelpAfterError('(--help lists the options)'))
}

try {
  await bench.parseAsync()
} catch (thrown) {
  // Ctrl-C reaches the programs of a scenario as well: that they ended is not the reason.
  const error: unknown = stop.signal.aborted ? stop.signal.reason : thrown
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE
  else if (error instanceof RelayFault) {
    process.stderr.write(`bench: ${error.code}: ${error.message}\n`)
    if (error.code === 'bad_config') process.exitCode = EXIT_USAGE
    if (interruption.signal.aborted) process.exitCode = EXIT_INTERRUPTED
    process.exitCode ??= EXIT_FAILED
  } else if (isDiskFull(error)) {
    process.stderr.write('bench: storage_full: a disk is full: nothing was measured to its end\n')
    process.exitCode ??= EXIT_FAILED
  } else {
    console.error(error)
    process.exitCode ??= EXIT_FAILED
  }
}
