#!/usr/bin/env node
/** `npm run bench -- <scenario>`: measures, prints a table, and writes one JSON document for machines. */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { RelayFault } from '../relay/wire/fault.ts'
import { describeCommit, describeHost } from './host.ts'
import { formatReport, Report } from './report.ts'
import { demand } from './scenarios/demand.ts'
import { detail } from './scenarios/detail.ts'
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
import type { Scenario } from './scenarios/scenario.ts'

const SCENARIOS: readonly Scenario[] = [line, live, picture, demand, detail, glass, narrow, repair, paths, sharing, slides, firstView, largeSlide, observed, networks, tilesService, stage, pointer]

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => stop.abort(new RelayFault('unavailable', `stopped by ${signal}`)))
}

async function runScenario(scenario: Scenario, flags: Readonly<Record<string, unknown>>): Promise<void> {
  const { quick, json, ...options } = flags
  const root = resolve(import.meta.dirname, '..')
  const startedAt = new Date().toISOString()
  const [commit, host] = await Promise.all([describeCommit(root), describeHost()])
  const context = { isQuick: quick === true, signal: stop.signal, say: (line: string) => void process.stderr.write(`${scenario.name}: ${line}\n`) }
  const { parameters, ...measured } = await scenario.run(options, context)
  const report = Report.parse({
    scenario: scenario.name, commit, startedAt, host,
    parameters: { quick: context.isQuick, ...parameters },
    ...measured,
  })
  process.stdout.write(formatReport(report))
  if (typeof json === 'string') await writeFile(json, `${JSON.stringify(report)}\n`)
}

const bench = new Command('bench')
  .description('Measure kenkyo on this machine. Every number printed was measured in this run.')
  .showHelpAfterError('(--help lists the scenarios)')
for (const scenario of SCENARIOS) {
  const command = new Command(scenario.name)
    .description(scenario.summary)
    .option('--quick', 'measure briefly: to see that it works, not to quote')
    .option('--json <file>', 'also write the report with its raw samples as one JSON document')
    .action((flags: Record<string, unknown>) => runScenario(scenario, flags))
  bench.addCommand(scenario.configure(command))
}

try {
  await bench.parseAsync()
} catch (error) {
  if (!(error instanceof RelayFault)) throw error
  process.stderr.write(`bench: ${error.code}: ${error.message}\n`)
  process.exitCode = stop.signal.aborted ? 130 : 1
}
